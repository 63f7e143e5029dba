"""What every endpoint of the control API does alike, whatever it is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection

from serving import Platform, refused


def test_bad_input_names_every_field(platform: Platform) -> None:
    body = {"name": 1, "host": "x", "products": ["jira", 2], "more": True}
    problem = refused(platform.operator.post("/operator/sites", json=body), 422, "invalid_input")
    assert {each["field"] for each in problem["fields"]} == {
        "name",
        "organization_id",
        "products[1]",
        "more",
    }
    for field in ("name", "organization_id", "products[1]", "more"):
        assert field in problem["detail"]


def test_a_body_that_is_no_json_object_is_refused(platform: Platform) -> None:
    for body, kind in (
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"name": "\\ud800"}', "application/json"),
        (b'{"name": "a\\u0000b"}', "application/json"),
        (b'{"name": NaN}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"name": "Acme"}', "text/plain"),
        (b"name=Acme", "application/x-www-form-urlencoded"),
        (b"", "application/json"),
    ):
        answer = platform.operator.post(
            "/operator/organizations", content=body, headers={"Content-Type": kind}
        )
        assert answer.status_code in (400, 422), (body[:20], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["fix"]
    assert platform.operator.get("/operator/organizations").json() == {"items": []}


def test_no_such_path_and_no_such_method(platform: Platform) -> None:
    refused(platform.operator.get("/nothing"), 404, "not_found")
    refused(platform.operator.get("/me/"), 404, "not_found")
    answer = platform.operator.delete("/me")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


def test_control_characters_in_the_address_are_refused(platform: Platform) -> None:
    for path in ("/sites/a%00b", "/sites/a%1bb", "/sites?x=%00", "/sites/%7f"):
        refused(platform.operator.get(path), 400, "request_malformed")


def test_a_body_that_is_too_large_is_refused_announced_or_not(platform: Platform) -> None:
    limit = 1024 * 1024
    body = json.dumps({"name": "x" * limit}).encode()

    def chunks() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    for content in (body, chunks()):
        answer = platform.operator.post(
            "/operator/organizations", content=content, headers={"Content-Type": "application/json"}
        )
        refused(answer, 413, "payload_too_large")
    fits = platform.operator.post("/operator/organizations", json={"name": "x" * (limit - 100)})
    refused(fits, 422, "invalid_input")


def test_pages_of_other_sites_cannot_use_credentials_that_a_browser_knows(
    platform: Platform,
) -> None:
    for site in ("cross-site", "same-site", "unheard-of"):
        answer = platform.operator.get("/me", headers={"Sec-Fetch-Site": site})
        refused(answer, 403, "cross_site")
    for site in ("same-origin", "none"):
        answer = platform.operator.get("/me", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 200


def test_our_own_fault_is_a_problem_whose_trace_finds_the_log_line(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    def rename(conn: Connection) -> None:
        conn.exec_driver_sql("ALTER TABLE organization RENAME TO away")

    platform.act(platform.services.store.run_sync(rename))
    answer = platform.operator.get("/operator/organizations")
    problem = refused(answer, 500, "internal")
    assert "away" not in answer.text
    assert "SELECT" not in answer.text
    assert problem["trace_id"] in caplog.text
    assert "no such table" in caplog.text


def test_nothing_is_kept_by_caches(platform: Platform) -> None:
    for path in ("/me", "/operator/accounts", "/nothing"):
        answer = platform.operator.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_openapi_document_describes_what_there_is(platform: Platform) -> None:
    with platform.client() as stranger:
        api = stranger.get("/openapi.json").json()
    assert api["info"]["title"] == "Sallyport control API"
    assert "/operator/sites/{site}/members/{account}" in api["paths"]
    assert "HTTPValidationError" not in json.dumps(api)
