"""Product APIs over real faces: an app, the platform, and a product that verifies its token.

Planted bugs that these tests were seen to fail on: `as_user` that takes any account; a token typed
`at+jwt`; the caller's own authorization header passed on.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
from product_world import PERMISSIONS, ProductWorld


def member(world: ProductWorld) -> str:
    return str(world.demo.facts["accounts"]["member"]["account_id"])


def claims(world: ProductWorld, by: str, *ids: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.ask(by, *ids, path="/token")["body"])["claims"]
    return found


def test_the_app_calls_as_itself(world: ProductWorld) -> None:
    found = claims(world, "app")
    app = world.app
    ari = f"ari:cloud:ecosystem::app/{app.app_id}"
    assert found["sub"] == ari
    assert found["account"] is None
    assert "act" not in found
    assert found["iss"] == world.demo.facts["public_url"]
    assert found["aud"] == world.upstream
    assert found["exp"] - found["iat"] == 60
    assert found["app"] == app.app_id
    assert found["environment"] == app.environment_id
    assert found["installation"] == app.installation_id
    assert found["site"] == world.demo.facts["cloud_id"]
    assert found["product"] == "jira"
    assert found["scope"] == "read:jira-work write:jira-work"


def test_the_app_calls_for_the_caller(world: ProductWorld) -> None:
    found = claims(world, "user")
    assert found["sub"] == found["account"] == member(world)
    assert found["act"] == {"sub": f"ari:cloud:ecosystem::app/{world.app.app_id}"}
    assert found["impersonated"] is False
    # Its own id is no other account, so no scope has to allow it.
    assert json.loads(
        world.ask("user", member(world), path="/rest/api/3/myself", app=world.plain)["body"]
    ) == {"accountId": member(world), "accountType": "atlassian"}


def test_the_product_is_told_the_trace_of_the_call(world: ProductWorld) -> None:
    def parents(**request: Any) -> list[str]:
        seen = json.loads(world.ask("app", path="/token", **request)["body"])["headers"]
        return str(seen.get("traceparent", "")).split("-")

    version, trace, span, flags = parents()
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "00")
    own = f"00-{'a' * 32}-{'b' * 16}-01"
    assert parents(headers={"traceparent": own}) == own.split("-")


def test_issues_are_made_and_read(world: ProductWorld) -> None:
    made = world.ask(
        "app", method="POST", path="/rest/api/3/issue", json={"fields": {"summary": "Grüße"}}
    )
    assert made["status"] == 201
    key = json.loads(made["body"])["key"]
    read = world.ask("user", path=f"/rest/api/3/issue/{key}?expand=names")
    assert json.loads(read["body"])["fields"]["summary"] == "Grüße"
    assert world.ask("app", path="/rest/api/3/issue/NONE-1")["status"] == 404


def test_an_app_has_the_scopes_of_its_manifest_only(world: ProductWorld) -> None:
    refused = world.ask(
        "app", app=world.plain, method="POST", path="/rest/api/3/issue", json={"fields": {}}
    )
    assert refused["status"] == 403
    assert "write:jira-work" in refused["body"]
    assert "code" not in refused


def test_impersonation_takes_a_scope_and_a_member(world: ProductWorld) -> None:
    accounts = world.demo.facts["accounts"]
    admin, outsider = accounts["admin"]["account_id"], accounts["outsider"]["account_id"]
    found = claims(world, "user", admin)
    assert found["sub"] == admin
    assert found["impersonated"] is True
    assert found["scope"] == "read:jira-work"
    for account in (outsider, "00000000-0000-4000-8000-000000000000", "nobody", "' or 1=1", ""):
        refused = world.ask("user", account, path="/rest/api/3/myself")
        assert refused["code"] == "IMPERSONATION_NOT_ALLOWED", account
    refused = world.ask("user", admin, path="/rest/api/3/myself", app=world.plain)
    assert refused["code"] == "IMPERSONATION_NOT_ALLOWED"
    assert "allowImpersonation" in refused["message"]


def test_only_the_platform_says_who_calls(world: ProductWorld) -> None:
    headers = {
        "Authorization": "Bearer stolen",
        "Cookie": "session=1",
        "X-Forwarded-For": "10.0.0.1",
        "X-Slauth-Subject": "admin",
        "X_Slauth_Subject": "admin",
        "Connection": "x-secret",
        "X-Secret": "hop",
        "Host": "elsewhere.example",
        "X-Mine": "kept",
    }
    found = json.loads(world.ask("app", path="/token", headers=headers)["body"])["headers"]
    assert found["authorization"].startswith("Bearer ey")
    assert found["host"] == world.upstream.removeprefix("http://")
    assert found["x-mine"] == "kept"
    for name in ("cookie", "x-forwarded-for", "x-slauth-subject", "x_slauth_subject", "x-secret"):
        assert name not in found


def test_paths_are_canonical_and_methods_few(world: ProductWorld) -> None:
    for path in (
        "/rest/../admin",
        "/rest/%2e%2e/admin",
        "//evil.example/",
        "/rest/%2Fx",
        "rest/api",
        "/rest\\x",
        "/rest;x",
        "@evil.example/",
        "/rest#x",
        "/rest?a=b#c",
        "/rest?a=ü",
        "/rest?a b",
    ):
        assert world.ask("app", path=path)["code"] == "PATH_NOT_CANONICAL", path
    for method in ("CONNECT", "TRACE", "GET\r\nX: y", ""):
        assert world.ask("app", method=method, path="/token")["code"] == "METHOD_NOT_ALLOWED"
    for headers in ({"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"X Y": "b"}, {"": "b"}):
        assert world.ask("app", path="/token", headers=headers)["code"] == "INVALID_REQUEST"


def test_redirects_are_handed_on(world: ProductWorld) -> None:
    answer = world.ask("app", path="/rest/api/3/moved?to=FAKE-1")
    assert answer["status"] == 307
    assert answer["headers"]["location"] == "/rest/api/3/issue/FAKE-1"


def test_the_token_opens_nothing_here(world: ProductWorld) -> None:
    token = json.loads(world.ask("user", path="/token")["body"])["token"]
    answer = world.app.call("POST", "/context", token=token)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "token_invalid"


def test_a_token_works_once_and_not_elsewhere(world: ProductWorld) -> None:
    token = json.loads(world.ask("app", path="/token")["body"])["token"]
    again = httpx.get(f"{world.upstream}/token", headers={"Authorization": f"Bearer {token}"})
    assert again.status_code == 401
    assert "used before" in again.text
    access = world.app.tokens["access_token"]
    wrong = httpx.get(f"{world.upstream}/token", headers={"Authorization": f"Bearer {access}"})
    assert wrong.status_code == 401


def test_many_requests_run_beside_each_other(world: ProductWorld) -> None:
    answer = world.app.call("POST", "/aask")
    assert answer.json() == ["atlassian"] * 10 + ["app"] * 10


def test_the_operator_changes_and_takes_away_an_upstream(world: ProductWorld) -> None:
    operator = world.demo.operator
    for wrong in ("ftp://x.example", "https://u:p@x.example", "https://x.example/?q", "x.example"):
        said = operator.cli("operator", "products", "change", "jira", "--upstream", wrong, expect=1)
        assert "upstream" in said
    shown = {each["key"]: each for each in operator.json("operator", "products", "list")}
    assert shown["jira"]["upstream"] == world.upstream
    try:
        operator.cli("operator", "products", "change", "jira", "--upstream", "")
        assert world.ask("app", path="/token")["code"] == "PRODUCT_UPSTREAM_MISSING"
        operator.cli("operator", "products", "change", "jira", "--upstream", "http://localhost:1")
        assert world.ask("app", path="/token")["code"] == "UPSTREAM_UNREACHABLE"
    finally:
        operator.cli("operator", "products", "change", "jira", "--upstream", world.upstream)
    assert world.ask("app", path="/token")["status"] == 200


def test_the_context_says_where_the_code_runs(world: ProductWorld) -> None:
    found = world.app.call("POST", "/context").json()
    app, facts = world.app, found["facts"]
    assert facts["appAri"] == f"ari:cloud:ecosystem::app/{app.app_id}"
    assert facts["environmentAri"] == (
        f"ari:cloud:ecosystem::environment/{app.app_id}/{app.environment_id}"
    )
    assert found["ari"] == f"ari:cloud:ecosystem::installation/{app.installation_id}"
    assert found["version"] == facts["appVersion"] == "1.1"
    assert found["module"] == facts["moduleKey"] == "context-it"
    assert facts["moduleType"] == "apiRoute"
    assert facts["environmentType"] == "DEVELOPMENT"
    assert facts["accountId"] == member(world)
    assert facts["cloudId"] == world.demo.facts["cloud_id"]
    assert found["permissions"]["scopes"] == sorted(PERMISSIONS["scopes"])
    assert found["permissions"]["external"] == {
        "fetch": {"backend": PERMISSIONS["external"]["fetch"]["backend"]}
    }
    assert 20_000 < found["remaining"] <= 25_000
    assert found["deadline"] == facts["deadline"]
