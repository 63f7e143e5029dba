"""Instant revocation (invariant I3): what is taken away is gone at the very next call.

For each act: a warmed call works, then the act, and when its answer is there the next call is
refused, and so is what else the act closes: refresh, introspection, the token endpoint. Planted
bugs that these tests were seen to fail on: `tx.changed` left out of `end_family`, `end_grants`,
`set_active`, the roles of an organization, `end_membership`, `remove_link`, `write_link` and
`set_switch`; secrets ended without `revoked_at`; both changes left out of `remove_installation`
(either alone is enough: one fact hears both); `reload_keys` left out where a key is retired (its
change is for other processes, see tests/gateways/test_several.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from app_world import REDIRECT_URI, DeployedApp, deploy_echo
from demo_world import Demo, Person, demo_on
from sallyport.cli.browser import Browser

READ, WRITE, JIRA = "read:thing:custom", "write:thing:custom", "read:forge-app:jira"
PASSWORD = "correct horse battery staple"


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


@dataclass
class Warm:
    """A client, an account and tokens of their own, whose call has just worked."""

    app: DeployedApp
    account: dict[str, str]
    caller: Person

    def call(self) -> httpx.Response:
        return self.app.call("GET", "/open/x")

    def post(self, path: str, **form: str) -> httpx.Response:
        client = {"client_id": self.app.client_id, "client_secret": self.app.client_secret}
        return httpx.post(
            str(self.app.demo.facts["public_url"]) + path, data={**client, **form}, timeout=30
        )

    def refresh(self) -> httpx.Response:
        token = self.app.tokens["refresh_token"]
        return self.post("/oauth/token", grant_type="refresh_token", refresh_token=token)

    def is_active(self) -> bool:
        """What introspection says; where the client is no more it can say nothing."""
        answer = self.post("/oauth/introspect", token=self.app.tokens["access_token"])
        return answer.status_code == 200 and answer.json()["active"]

    def consent(self) -> dict[str, Any]:
        """Tokens of another consent, by the same account."""
        url = self.app.authorization_url

        async def walk() -> str:
            async with Browser(self.app.demo.facts["public_url"]) as browser:
                await browser.sign_in(self.account["email"], self.account["password"])
                return await browser.consent(url, self.app.demo.facts["cloud_id"])

        return self.app.exchange(
            grant_type="authorization_code", code=asyncio.run(walk()), redirect_uri=REDIRECT_URI
        )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    with demo_on(tmp_path_factory.mktemp("revoked") / "data") as demo:
        yield deploy_echo(demo)


@pytest.fixture
def warm(own: DeployedApp) -> Warm:
    return warmed(own, member=True)


def warmed(own: DeployedApp, *, member: bool) -> Warm:
    """A new account with a new integration that it consented to, and a call that worked."""
    demo, operator = own.demo, own.demo.operator
    email = f"{uuid.uuid4().hex[:8]}@people.example"
    person = {"email": email, "name": "Somebody", "password": PASSWORD}
    made = _ok(operator.api("POST", "/operator/accounts", json=person))
    account = f"/operator/accounts/{made['account_id']}"
    token = _ok(operator.api("POST", f"{account}/api-tokens", json={"label": "x"}))["token"]
    if member:
        put = f"/operator/sites/{demo.facts['cloud_id']}/members/{email}"
        _ok(operator.api("PUT", put, json={"role": "member"}))
    else:
        _ok(operator.api("PUT", f"{_organization(demo)}/admins/{email}"))
    link = {"site": demo.facts["cloud_id"], "app_id": own.app_id, "environment": "development"}
    client = _ok(
        demo.person("developer").api(
            "POST",
            "/integrations",
            json={
                "name": "Revoked",
                "redirect_uris": [REDIRECT_URI],
                "forge_compatible": True,
                "link": {**link, "scopes": [READ], "product_scopes": [JIRA]},
            },
        )
    )
    app = replace(
        own,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        authorization_url=client["links"][0]["authorization_url"],
        tokens={},
    )
    caller = replace(demo.person("member"), email=email, api_token=token)
    made = {"email": email, "password": PASSWORD, "account_id": made["account_id"]}
    warm = Warm(app, made, caller)
    app.tokens = warm.consent()
    for _ in range(2):
        assert warm.call().status_code == 200
    assert warm.is_active()
    return warm


def _organization(demo: Demo) -> str:
    host = demo.site_host.split(":")[0]
    sites = _ok(demo.operator.api("GET", "/operator/sites"))["items"]
    (found,) = (each["organization_id"] for each in sites if each["host"] == host)
    return f"/operator/organizations/{found}"


# ---- the acts


def end_grant_by_account(warm: Warm) -> None:
    (grant,) = _ok(warm.caller.api("GET", "/grants"))["items"]
    _ok(warm.caller.api("DELETE", f"/grants/{grant['grant_id']}"))


def end_grant_by_admin(warm: Warm) -> None:
    (grant,) = _ok(warm.caller.api("GET", "/grants"))["items"]
    path = f"/admin/sites/{warm.app.demo.facts['cloud_id']}/grants/{grant['grant_id']}"
    _ok(warm.app.demo.person("admin").api("DELETE", path))


def end_integration(warm: Warm) -> None:
    path = f"/integrations/{warm.app.client_id}"
    _ok(warm.app.demo.person("developer").api("DELETE", path))


def end_integration_by_admin(warm: Warm) -> None:
    path = f"/integrations/{warm.app.client_id}"
    _ok(warm.app.demo.person("admin").api("DELETE", path))


def disable_account(warm: Warm) -> None:
    path = f"/operator/accounts/{warm.account['account_id']}"
    _ok(warm.app.demo.operator.api("PATCH", path, json={"active": False}))


def end_membership(warm: Warm) -> None:
    path = f"/operator/sites/{warm.app.demo.facts['cloud_id']}/members/{warm.account['email']}"
    _ok(warm.app.demo.operator.api("DELETE", path))


def unlink(warm: Warm, who: str = "developer") -> None:
    where = {"site": warm.app.demo.facts["cloud_id"], "app_id": warm.app.app_id}
    path = f"/integrations/{warm.app.client_id}/links"
    params = {**where, "environment": "development"}
    _ok(warm.app.demo.person(who).api("DELETE", path, params=params))


def unlink_by_admin(warm: Warm) -> None:
    unlink(warm, "admin")


def narrow_the_link(warm: Warm) -> None:
    link = {
        "site": warm.app.demo.facts["cloud_id"],
        "app_id": warm.app.app_id,
        "environment": "development",
        "scopes": [WRITE],
        "product_scopes": [JIRA],
    }
    path = f"/integrations/{warm.app.client_id}/links"
    _ok(warm.app.demo.person("developer").api("PUT", path, json=link))


def take_back(warm: Warm) -> None:
    admin, site = warm.app.demo.person("admin"), warm.app.demo.facts["cloud_id"]
    rule = f"/admin/sites/{site}/approvals"
    _ok(admin.api("PUT", rule, json={"required": True}))
    body = {"app_id": warm.app.app_id, "environment": "development", "scopes": [READ]}
    path = f"/admin/sites/{site}/integrations/{warm.app.client_id}/take-back"
    _ok(admin.api("POST", path, json={**body, "reason": "over"}))
    _ok(admin.api("PUT", rule, json={"required": False}))


Act = Callable[[Warm], None]

CLOSED: list[tuple[Act, str, str | None]] = [
    (end_grant_by_account, "grant_revoked", "invalid_grant"),
    (end_grant_by_admin, "grant_revoked", "invalid_grant"),
    (end_integration, "grant_revoked", "invalid_client"),
    (end_integration_by_admin, "grant_revoked", "invalid_client"),
    (disable_account, "membership_ended", "invalid_grant"),
    (end_membership, "membership_ended", "invalid_grant"),
    (unlink, "integration_unlinked", "invalid_grant"),
    (unlink_by_admin, "integration_unlinked", "invalid_grant"),
    (narrow_the_link, "scope_missing", None),
    (take_back, "scope_missing", None),
]
"""The act, why the next call is refused, and what a refresh says; None: it gives fewer scopes."""


@pytest.mark.parametrize(
    ("act", "reason", "error"), CLOSED, ids=lambda each: getattr(each, "__name__", "")
)
def test_the_next_call_is_refused(warm: Warm, act: Act, reason: str, error: str | None) -> None:
    act(warm)
    refused = warm.call()
    assert refused.status_code in (401, 403), refused.text
    assert refused.json()["reason"] == reason
    refreshed = warm.refresh()
    if error is None:
        assert READ not in refreshed.json().get("scope", ""), refreshed.text
        told = warm.post("/oauth/introspect", token=warm.app.tokens["access_token"]).json()
        assert READ not in told.get("scope", "")
    else:
        assert refreshed.json()["error"] == error
        assert not warm.is_active()


def test_a_family_ends_alone(warm: Warm) -> None:
    beside = warm.consent()
    assert warm.post("/oauth/revoke", token=warm.app.tokens["refresh_token"]).status_code == 200
    assert warm.call().json()["reason"] == "token_revoked"
    assert warm.refresh().json()["error"] == "invalid_grant"
    assert not warm.is_active()
    assert warm.app.call("GET", "/open/x", token=beside["access_token"]).status_code == 200


def test_a_theft_that_is_noticed_ends_the_family(warm: Warm) -> None:
    first = warm.app.tokens["refresh_token"]
    token = {"grant_type": "refresh_token"}
    second = warm.post("/oauth/token", **token, refresh_token=first).json()
    third = warm.post("/oauth/token", **token, refresh_token=second["refresh_token"]).json()
    assert warm.app.call("GET", "/open/x", token=third["access_token"]).status_code == 200
    assert warm.post("/oauth/token", **token, refresh_token=first).status_code == 400
    for each in (warm.app.tokens, second, third):
        answer = warm.app.call("GET", "/open/x", token=each["access_token"])
        assert answer.json()["reason"] == "token_revoked"


def test_an_ended_secret_signs_nobody_in(warm: Warm) -> None:
    developer = warm.app.demo.person("developer")
    path = f"/integrations/{warm.app.client_id}/secrets"
    newer = _ok(developer.api("POST", path))["client_secret"]
    assert warm.refresh().status_code == 200, "for a while both are good"
    _ok(developer.api("DELETE", f"{path}/previous"))
    assert warm.refresh().json()["error"] == "invalid_client"
    assert warm.post("/oauth/introspect", token="x").json()["error"] == "invalid_client"
    assert warm.post("/oauth/revoke", token="x").json()["error"] == "invalid_client"
    warm.app.client_secret = newer
    assert warm.refresh().status_code == 200
    assert warm.call().status_code == 200, "tokens live by the consent, not by the secret"


def test_a_disabled_account_is_shut_out_everywhere(warm: Warm) -> None:
    url, account = str(warm.app.demo.facts["public_url"]), warm.account

    async def walk() -> None:
        async with Browser(url) as browser:
            await browser.sign_in(account["email"], account["password"])
            assert (await browser.open("/account")).status_code == 200
            disable_account(warm)
            gone = await browser.open("/account")
            assert "password" in gone.text, "the session is over; the way leads to sign-in"
            assert str(gone.url).startswith(f"{url}/login")

    asyncio.run(walk())
    assert warm.caller.api("GET", "/me").status_code == 401
    login = {"email": account["email"], "password": account["password"], "label": "x"}
    assert httpx.post(f"{url}/api/v1/login", json=login).status_code == 401
    path = f"/operator/accounts/{account['account_id']}"
    _ok(warm.app.demo.operator.api("PATCH", path, json={"active": True}))
    assert warm.call().status_code == 200, "its consents are its own again"
    assert warm.caller.api("GET", "/me").status_code == 401, "its API tokens are not"


def test_who_was_a_member_as_admin_of_the_organization_is_none_after(own: DeployedApp) -> None:
    warm = warmed(own, member=False)
    demo = own.demo
    _ok(demo.operator.api("DELETE", f"{_organization(demo)}/admins/{warm.account['email']}"))
    assert warm.call().json()["reason"] == "membership_ended"
    assert warm.refresh().json()["error"] == "invalid_grant"
    assert not warm.is_active()


def test_a_service_account_ends_with_its_tokens(own: DeployedApp) -> None:
    demo, site = own.demo, own.demo.facts["cloud_id"]
    admin = demo.person("admin")
    place = {"app_id": own.app_id, "environment": "development", "scopes": [READ]}
    path = f"/admin/sites/{site}/service-accounts"
    made = _ok(admin.api("POST", path, json={"name": "Robot", **place}))
    form = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    url = f"{demo.facts['public_url']}/oauth/token"
    token = _ok(httpx.post(url, data=form))["access_token"]
    assert own.call("GET", "/open/x", token=token).status_code == 200
    _ok(admin.api("DELETE", f"{path}/{made['client_id']}"))
    assert own.call("GET", "/open/x", token=token).status_code == 401
    assert httpx.post(url, data=form).json()["error"] == "invalid_client"


def test_a_retired_key_signs_for_nothing(warm: Warm) -> None:
    operator = warm.app.demo.operator
    before = [each["kid"] for each in _ok(operator.api("GET", "/operator/keys"))["items"]]
    _ok(operator.api("POST", "/operator/keys", json={"now": True}))
    assert warm.call().status_code == 200, "rotation ends nothing"
    for kid in before:
        operator.api("DELETE", f"/operator/keys/{kid}")
    assert warm.call().json()["reason"] == "token_invalid"
    fresh = _ok(warm.refresh())
    assert warm.app.call("GET", "/open/x", token=fresh["access_token"]).status_code == 200


def test_the_switch_and_the_installation(warm: Warm) -> None:
    """Last, since nothing is installed afterwards."""
    warm.app.turn(False)
    assert warm.call().json()["reason"] == "rest_apis_off"
    warm.app.turn(True)
    assert warm.call().status_code == 200
    admin = warm.app.demo.person("admin")
    _ok(admin.api("DELETE", f"/installations/{warm.app.installation_id}"))
    assert warm.call().json()["reason"] == "app_not_installed"
    assert warm.refresh().json()["error"] == "invalid_grant"
    assert not warm.is_active()
