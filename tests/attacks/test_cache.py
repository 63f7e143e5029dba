"""T-CACHE: facts are cached, decisions never; what was taken away is gone at the next call.

Planted bugs that these tests were seen to fail on: remembering the outcome of `scopes` by token;
not dropping facts on a SWITCH, GRANT, INTEGRATION or MEMBERSHIP change.
"""

from __future__ import annotations

import json
import random

import pytest

from app_world import DeployedApp, deploy_echo
from demo_world import Demo, Person

ROUTES = {
    ("GET", "/open/x"): {"read:thing:custom"},
    ("POST", "/open/x"): {"write:thing:custom"},
    ("GET", "/guarded/secret"): {"read:secret:custom"},
    ("GET", "/named/1"): {"read:thing:custom"},
}
PRODUCT = "read:forge-app:jira"


@pytest.fixture
def app(demo: Demo) -> DeployedApp:
    """An app of its own, so that what is taken away here is missed by nobody."""
    return deploy_echo(demo)


def test_interleaved_tokens_and_routes_against_a_model(echo: DeployedApp) -> None:
    """Every answer follows from the token's scopes alone, in whatever order calls come."""
    asked = [
        ["read:thing:custom", PRODUCT],
        ["write:thing:custom", PRODUCT],
        ["read:thing:custom", "read:secret:custom", PRODUCT],
        ["read:thing:custom"],
    ]
    tokens = [
        (set(scopes), echo.consent(scope=" ".join(scopes))["access_token"]) for scopes in asked
    ]
    choose = random.Random(20261123)
    for _ in range(300):
        (method, path), needed = choose.choice(list(ROUTES.items()))
        held, token = choose.choice(tokens)
        answer = echo.call(method, path, token=token)
        missing = (needed | {PRODUCT}) - held
        assert answer.status_code == (403 if missing else 200), (method, path, held, answer.text)
        if missing:
            assert set(answer.json()["missing_scopes"]) == missing
            assert set(answer.json()["granted_scopes"]) == held


def test_off_refuses_the_next_call_and_on_takes_it_again(echo: DeployedApp) -> None:
    for _ in range(5):
        assert echo.call("GET", "/open/x").status_code == 200
        echo.turn(on=False)
        refused = echo.call("GET", "/open/x")
        echo.turn(on=True)
        assert refused.status_code == 403
        assert refused.json()["reason"] == "rest_apis_off"
        assert refused.json()["gate"] == "switch"
    assert echo.call("GET", "/open/x").status_code == 200


def test_a_revoked_consent_refuses_the_next_call_and_stays_dead(app: DeployedApp) -> None:
    member = app.demo.person("member")
    assert app.call("GET", "/open/x").status_code == 200
    grants = member.api("GET", "/grants").json()["items"]
    grant = next(each for each in grants if each["client_id"] == app.client_id)
    assert member.api("DELETE", f"/grants/{grant['grant_id']}").status_code == 204
    refused = app.call("GET", "/open/x")
    assert refused.status_code == 401
    assert refused.json()["reason"] in ("grant_revoked", "token_revoked")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    fresh = app.consent()
    assert app.call("GET", "/open/x", token=fresh["access_token"]).status_code == 200
    assert app.call("GET", "/open/x").status_code == 401


def test_a_revoked_integration_refuses_the_next_call(app: DeployedApp) -> None:
    assert app.call("GET", "/open/x").status_code == 200
    developer = app.demo.person("developer")
    assert developer.api("DELETE", f"/integrations/{app.client_id}").status_code == 204
    refused = app.call("GET", "/open/x")
    assert refused.status_code == 401
    assert refused.json()["reason"] in ("integration_revoked", "grant_revoked", "token_revoked")


def test_a_narrowed_link_takes_scopes_away_at_once(app: DeployedApp) -> None:
    assert app.call("GET", "/guarded/secret").status_code == 200
    link = {
        "site": app.demo.facts["cloud_id"],
        "app_id": app.app_id,
        "environment": "development",
        "scopes": ["read:thing:custom"],
        "product_scopes": [PRODUCT],
    }
    developer = app.demo.person("developer")
    changed = developer.api("PUT", f"/integrations/{app.client_id}/links", json=link)
    assert changed.is_success, changed.text
    assert app.call("GET", "/open/x").status_code == 200
    refused = app.call("GET", "/guarded/secret")
    assert refused.status_code == 403
    assert refused.json()["missing_scopes"] == ["read:secret:custom"]


def test_uninstalling_closes_and_a_new_installation_starts_off(app: DeployedApp) -> None:
    assert app.call("GET", "/open/x").status_code == 200
    admin = app.demo.person("admin")
    gone = admin.api("DELETE", f"/installations/{app.installation_id}")
    assert gone.status_code == 204, gone.text
    refused = app.call("GET", "/open/x")
    assert refused.status_code == 404
    assert refused.json()["reason"] == "app_not_installed"
    again = admin.api(
        "POST",
        "/installations",
        json={
            "app_id": app.app_id,
            "environment": "development",
            "site": app.demo.facts["cloud_id"],
            "product": "jira",
        },
    )
    assert again.status_code == 201, again.text
    assert app.call("GET", "/open/x").status_code in (401, 403)
    assert admin.api("GET", app.switch_path).json()["enabled"] is False


def test_a_membership_that_ended_refuses_the_next_call(own_demo: Demo) -> None:
    assert own_demo.call("GET", "/getEmployeeName?id=1234").status_code == 200
    state = json.loads((own_demo.folder / "demo.json").read_text())
    operator = Person(
        own_demo.facts["public_url"],
        state["operator"]["email"],
        state["operator"]["api_token"],
        own_demo.folder,
    )
    site = own_demo.facts["cloud_id"]
    member = own_demo.facts["accounts"]["member"]["account_id"]
    ended = operator.api("DELETE", f"/operator/sites/{site}/members/{member}")
    assert ended.status_code == 204, ended.text
    refused = own_demo.call("GET", "/getEmployeeName?id=1234")
    assert refused.status_code in (401, 403)
    assert refused.json()["reason"] in ("membership_ended", "grant_revoked", "token_revoked")
    back = operator.api("PUT", f"/operator/sites/{site}/members/{member}", json={"role": "member"})
    assert back.is_success
    deactivated = operator.api("PATCH", f"/operator/accounts/{member}", json={"active": False})
    assert deactivated.is_success, deactivated.text
    assert own_demo.call("GET", "/getEmployeeName?id=1234").status_code in (401, 403)
