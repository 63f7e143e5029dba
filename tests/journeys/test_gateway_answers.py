"""Every row of docs/reference/gateway.md and contract section (h), over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, claims_of, deploy_app, redeploy
from demo_world import Demo, demo_on

SOURCE = """
import os
import time


def fine(request, context):
    print("said something")
    return {"statusCode": 201, "body": {"got": request.body}, "customHeader": "ignored"}


def raises(request, context):
    raise RuntimeError("secret detail of the app")


def bad(request, context):
    return "not a response"


def slow(request, context):
    time.sleep(30)


def dies(request, context):
    os._exit(3)


def large(request, context):
    return {"statusCode": 200, "body": "x" * (5 * 1024 * 1024 + 1)}


def hungry(request, context):
    kept = []
    while True:
        kept.append(bytearray(16 << 20))


async def later(request):
    return {"statusCode": 200, "body": request.method}
"""
NAMES = ("fine", "raises", "bad", "slow", "dies", "large", "hungry", "later")
ROUTES: list[dict[str, Any]] = [
    {
        "key": f"route-{name}",
        "path": f"/{name}",
        "operation": "POST",
        "function": name,
        "scopes": ["use:it:custom"],
        **({"accept": ["application/json"]} if name == "fine" else {}),
    }
    for name in NAMES
]
FUNCTIONS: list[dict[str, Any]] = [
    {
        "key": name,
        "handler": f"index.{name}",
        **({"timeoutSeconds": 1} if name == "slow" else {}),
    }
    for name in NAMES
]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def app(demo: Demo) -> DeployedApp:
    return deploy_app(demo, ROUTES, FUNCTIONS, SOURCE)


def refused(answer: httpx.Response, status: int, reason: str, gate: str) -> dict[str, Any]:
    """The problem document, which has every member that callers may rely on."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["reason"], body["gate"]) == (status, reason, gate)
    for member in ("type", "title", "detail", "fix", "message", "decision_id", "trace_id"):
        assert body[member], member
    assert body["code"] == status
    assert answer.headers["atl-traceid"] == body["trace_id"]
    assert answer.headers["atl-request-id"] == body["decision_id"]
    assert answer.headers["cache-control"] == "no-store"
    return body


def test_a_good_call_gets_what_the_handler_returned(app: DeployedApp) -> None:
    answer = app.call("POST", "/fine", content='{"a":1}', headers=JSON)
    assert answer.status_code == 201
    assert answer.json() == {"got": '{"a":1}'}
    assert "customheader" not in answer.headers
    assert app.call("POST", "/later").text == "POST"


def test_no_credentials(app: DeployedApp) -> None:
    answer = app.call("POST", "/fine", headers={"Authorization": None})
    refused(answer, 401, "token_missing", "token")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert "error=" not in challenge
    metadata = challenge.partition('resource_metadata="')[2].partition('"')[0]
    described = httpx.get(metadata).json()
    assert described["authorization_servers"] == [app.demo.facts["public_url"]]


def test_a_token_that_is_not_ours(app: DeployedApp) -> None:
    answer = app.call("POST", "/fine", token="abc.def.ghi")
    refused(answer, 401, "token_invalid", "token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_unknown_site_product_app_and_route(app: DeployedApp) -> None:
    facts = app.demo.facts
    other = "99999999-9999-4999-8999-999999999999"
    app_part = f"apps/{app.app_id}_{app.environment_id}/fine"
    for path, reason in (
        (f"/svc/jira/{other}/{app_part}", "site_unknown"),
        (f"/svc/crm/{facts['cloud_id']}/{app_part}", "product_unknown"),
        (f"/svc/confluence/{facts['cloud_id']}/{app_part}", "app_not_installed"),
        (f"/svc/jira/{facts['cloud_id']}/apps/{other}_{other}/fine", "app_not_installed"),
        (f"/svc/jira/{facts['cloud_id']}/apps/{app.app_id}/fine", "app_not_installed"),
    ):
        refused(app.demo.call("POST", path, base=facts["public_url"]), 404, reason, "site")
    refused(app.call("POST", "/nothing"), 404, "route_unknown", "route")


def test_a_method_that_the_route_does_not_take(app: DeployedApp) -> None:
    answer = app.call("GET", "/fine")
    refused(answer, 405, "method_not_allowed", "route")
    assert answer.headers["allow"] == "POST"


def test_missing_scopes_are_named_and_only_to_their_bearer(app: DeployedApp) -> None:
    token = app.consent(scope="use:it:custom")["access_token"]
    answer = app.call("POST", "/fine", token=token, headers=JSON)
    body = refused(answer, 403, "product_scope_missing", "scopes")
    assert body["required_scopes"] == ["read:forge-app:jira", "use:it:custom"]
    assert body["granted_scopes"] == ["use:it:custom"]
    assert body["missing_scopes"] == ["read:forge-app:jira"]
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="read:forge-app:jira use:it:custom"' in challenge
    why = app.demo.person("member").cli("why", body["decision_id"])
    assert "✗ scopes" in why
    assert "read:forge-app:jira" in why


def test_bodies_that_are_too_large_or_of_another_type(app: DeployedApp) -> None:
    large = b"x" * (5 * 1024 * 1024 + 1)
    refused(
        app.call("POST", "/fine", content=large, headers=JSON), 413, "payload_too_large", "limits"
    )
    # Nobody announced this one's size.
    chunked = app.call("POST", "/fine", content=iter([large[:4_000_000]] * 2), headers=JSON)
    refused(chunked, 413, "payload_too_large", "limits")
    for content_type in ("text/plain", "application/json-patch+json", ""):
        answer = app.call(
            "POST", "/fine", content="{}", headers={"Content-Type": content_type or None}
        )
        refused(answer, 415, "media_type_unsupported", "limits")
    assert app.call("POST", "/later", content="anything").status_code == 200
    exact = app.call("POST", "/later", content=large[:-1])
    assert exact.status_code == 200


def test_answers_of_another_type_are_not_to_be_had(app: DeployedApp) -> None:
    for accept, status in (
        ("text/html", 406),
        ("application/json;q=0, */*", 406),
        ("text/html, */*;q=0.1", 201),
        ("application/json", 201),
    ):
        headers = {**JSON, "Accept": accept}
        answer = app.call("POST", "/fine", content="{}", headers=headers)
        assert answer.status_code == status, accept
        if status == 406:
            refused(answer, 406, "not_acceptable", "limits")
    # A route that declares no `accept` answers with what its function likes.
    assert app.call("POST", "/later", headers={"Accept": "text/html"}).status_code == 200


def test_headers_that_are_too_many_or_too_large(app: DeployedApp) -> None:
    many = {f"X-Header-{n}": "x" for n in range(101)}
    large = {f"X-Header-{n}": "x" * 3_900 for n in range(9)}
    for headers in (many, large):
        answer = app.call("POST", "/later", headers=headers)
        refused(answer, 431, "headers_too_large", "path")
    assert app.call("POST", "/later", headers={"X-Header": "x" * 8_000}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "reason", "logged"),
    [
        ("/raises", 500, "invocation_failed", "secret detail of the app"),
        ("/bad", 500, "invocation_bad_result", ""),
        ("/dies", 500, "invocation_worker_lost", ""),
        ("/large", 500, "response_too_large", "larger than 5 MB"),
        ("/hungry", 500, "invocation_out_of_memory", "MemoryError"),
        ("/slow", 504, "invocation_timeout", ""),
    ],
)
def test_what_goes_wrong_inside_is_in_the_log_by_trace_id_and_not_in_the_answer(
    app: DeployedApp, path: str, status: int, reason: str, logged: str
) -> None:
    answer = app.call("POST", path)
    body = refused(answer, status, reason, "function")
    assert "Invocation failed" in body["message"]
    assert "secret detail" not in answer.text
    developer = app.demo.person("developer")
    lines = wait_for_lines(developer, app, body["trace_id"])
    text = "\n".join(line["text"] for line in lines)
    assert logged in text
    assert {line["level"] for line in lines} & {"ERROR", "FATAL"}
    assert {line["trace_id"] for line in lines} == {body["trace_id"]}
    assert app.call("POST", "/later").status_code == 200


def wait_for_lines(developer: Any, app: DeployedApp, trace_id: str) -> list[dict[str, Any]]:
    """The log lines of a trace; they are written a moment after the answer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines: list[dict[str, Any]] = developer.json(
            "logs", "--app", app.app_id, "--trace", trace_id
        )
        if lines:
            return lines
    raise AssertionError(f"no line for {trace_id}")


def test_what_a_handler_prints_is_found_by_invocation_with_its_level(app: DeployedApp) -> None:
    answer = app.call("POST", "/fine", content="{}", headers=JSON)
    developer = app.demo.person("developer")
    lines = wait_for_lines(developer, app, answer.headers["atl-traceid"])
    assert [(line["level"], line["text"]) for line in lines] == [("INFO", "said something")]
    by_invocation = developer.json("logs", "--app", app.app_id, "-i", lines[0]["invocation_id"])
    assert by_invocation == lines


def test_a_new_version_swaps_the_routes_in_whole(app: DeployedApp) -> None:
    developer = app.demo.person("developer")
    routes = [{**ROUTES[-1], "path": "/renamed"}]
    redeploy(developer, {"app_id": app.app_id}, routes, FUNCTIONS, SOURCE)
    assert app.call("POST", "/renamed").status_code == 200
    refused(app.call("POST", "/later"), 404, "route_unknown", "route")
    redeploy(developer, {"app_id": app.app_id}, ROUTES, FUNCTIONS, SOURCE)
    assert app.call("POST", "/later").status_code == 200


def test_access_tokens_are_rfc_9068_and_name_a_grant(app: DeployedApp) -> None:
    claims = claims_of(app.tokens["access_token"])
    assert claims["iss"] == claims["aud"] == app.demo.facts["public_url"]
    assert claims["client_id"] == app.client_id
    assert claims["sub"] == app.demo.facts["accounts"]["member"]["account_id"]
    assert claims["exp"] - claims["iat"] == 3600
    assert {"jti", "grant", "family"} <= set(claims)


@pytest.fixture
def forge_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_on(tmp_path_factory.mktemp("forge") / "data", SALLYPORT_COMPAT="forge") as made:
        yield made


def test_compatible_with_forge_a_scope_mismatch_is_its_401(forge_demo: Demo) -> None:
    app = deploy_app(forge_demo, ROUTES, FUNCTIONS, SOURCE)
    token = app.consent(scope="use:it:custom")["access_token"]
    answer = app.call("POST", "/fine", token=token, headers=JSON)
    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "Unauthorized; scope does not match"}
    assert answer.headers["x-failure-category"] == "FAILURE_CLIENT_SCOPE_CHECK"
    assert answer.headers["content-type"] == "application/json"
    decision = answer.headers["atl-request-id"]
    assert "✗ scopes" in app.demo.person("member").cli("why", decision)
    app.turn(on=False)
    assert app.call("POST", "/fine", headers=JSON).status_code == 403
