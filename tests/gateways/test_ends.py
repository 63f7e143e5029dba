"""What one gateway process ends no other lets in: off means off in all of them before the answer.

Planted bugs that these tests were seen to fail on: not waiting for the other process after a
commit; and each of these told to no other process: the switch, a consent, a token family, a
membership, an account, a link that is taken away, a link that holds less, an integration with its
consents, an installation with its switch and consents. And: a call not decided again when its body
is here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from several_world import OFFLINE, SCOPE, Several, call

from app_world import REDIRECT_URI, DeployedApp

ROUNDS = 6
PRODUCT_SCOPE = "read:forge-app:jira"


def act(
    client: httpx.Client, app: DeployedApp, role: str, method: str, path: str, **more: Any
) -> Any:
    """Somebody does something through this connection."""
    person = app.demo.operator if role == "operator" else app.demo.person(role)
    answer = client.request(method, f"/api/v1{path}", auth=(person.email, person.api_token), **more)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def undo(app: DeployedApp, role: str, method: str, path: str, **more: Any) -> Any:
    """Somebody does something through whichever process."""
    with httpx.Client(base_url=app.demo.facts["public_url"], timeout=60) as client:
        return act(client, app, role, method, path, **more)


def member_of(app: DeployedApp) -> str:
    account: str = app.demo.facts["accounts"]["member"]["account_id"]
    return account


# ---- the switch, a consent, a token


def switched_off(client: httpx.Client, app: DeployedApp) -> None:
    act(client, app, "admin", "PUT", app.switch_path, json={"enabled": False})


def switched_on(app: DeployedApp) -> None:
    app.turn(on=True)


def consent_ended(client: httpx.Client, app: DeployedApp) -> None:
    for grant in act(client, app, "member", "GET", "/grants")["items"]:
        if grant["client_id"] == app.client_id:
            act(client, app, "member", "DELETE", f"/grants/{grant['grant_id']}")


def token_revoked(client: httpx.Client, app: DeployedApp) -> None:
    secret = {"client_id": app.client_id, "client_secret": app.client_secret}
    token = {**secret, "token": app.tokens["refresh_token"]}
    answer = client.post("/oauth/revoke", data=token)
    assert answer.status_code == 200, answer.text


def consented_again(app: DeployedApp) -> None:
    app.tokens = app.consent(scope=OFFLINE)


# ---- a membership, an account


def member_gone(client: httpx.Client, app: DeployedApp) -> None:
    site = app.demo.facts["cloud_id"]
    act(client, app, "operator", "DELETE", f"/operator/sites/{site}/members/{member_of(app)}")


def member_back(app: DeployedApp) -> None:
    path = f"/operator/sites/{app.demo.facts['cloud_id']}/members/{member_of(app)}"
    undo(app, "operator", "PUT", path, json={"role": "member"})


def account_inactive(client: httpx.Client, app: DeployedApp) -> None:
    path = f"/operator/accounts/{member_of(app)}"
    act(client, app, "operator", "PATCH", path, json={"active": False})


def account_active(app: DeployedApp) -> None:
    path = f"/operator/accounts/{member_of(app)}"
    undo(app, "operator", "PATCH", path, json={"active": True})
    # Its API tokens ended for good.
    made = undo(app, "operator", "POST", f"{path}/api-tokens", json={"label": "test"})
    app.demo.facts["accounts"]["member"]["api_token"] = made["token"]


# ---- an integration and what it is linked to


def link_of(app: DeployedApp, **scopes: list[str]) -> dict[str, Any]:
    return {
        "site": app.demo.facts["cloud_id"],
        "app_id": app.app_id,
        "environment": "development",
        "scopes": [SCOPE],
        "product_scopes": [PRODUCT_SCOPE],
        **scopes,
    }


def unlinked(client: httpx.Client, app: DeployedApp) -> None:
    place = {key: link_of(app)[key] for key in ("site", "app_id", "environment")}
    act(client, app, "developer", "DELETE", f"/integrations/{app.client_id}/links", params=place)


def link_narrowed(client: httpx.Client, app: DeployedApp) -> None:
    link = link_of(app, product_scopes=[])
    act(client, app, "developer", "PUT", f"/integrations/{app.client_id}/links", json=link)


def linked(app: DeployedApp) -> None:
    undo(app, "developer", "PUT", f"/integrations/{app.client_id}/links", json=link_of(app))


def integration_revoked(client: httpx.Client, app: DeployedApp) -> None:
    act(client, app, "developer", "DELETE", f"/integrations/{app.client_id}")


def another_integration(app: DeployedApp) -> None:
    wanted = {"name": "Another", "redirect_uris": [REDIRECT_URI], "forge_compatible": True}
    made = undo(app, "developer", "POST", "/integrations", json={**wanted, "link": link_of(app)})
    app.client_id, app.client_secret = made["client_id"], made["client_secret"]
    app.authorization_url = made["links"][0]["authorization_url"]
    consented_again(app)


# ---- an installation


def uninstalled(client: httpx.Client, app: DeployedApp) -> None:
    act(client, app, "admin", "DELETE", f"/installations/{app.installation_id}")


def installed_again(app: DeployedApp) -> None:
    place = {key: link_of(app)[key] for key in ("site", "app_id", "environment")}
    made = undo(app, "admin", "POST", "/installations", json={**place, "product": "jira"})
    app.installation_id = made["installation_id"]
    app.turn(on=True)
    consented_again(app)


@dataclass(frozen=True, slots=True)
class End:
    """An act that shuts a door, how calls are refused from then on, and what opens it again."""

    do: Callable[[httpx.Client, DeployedApp], None]
    refused: tuple[int, str]
    back: Callable[[DeployedApp], None]
    rounds: int = ROUNDS


ENDS = {
    "switch": End(switched_off, (403, "rest_apis_off"), switched_on),
    "consent": End(consent_ended, (401, "grant_revoked"), consented_again),
    "token": End(token_revoked, (401, "token_revoked"), consented_again),
    "member": End(member_gone, (403, "membership_ended"), member_back),
    "account": End(account_inactive, (403, "membership_ended"), account_active),
    "unlinked": End(unlinked, (403, "integration_unlinked"), linked),
    "narrowed": End(link_narrowed, (403, "product_scope_missing"), linked),
    "integration": End(integration_revoked, (401, "grant_revoked"), another_integration, 2),
    "installation": End(uninstalled, (404, "app_not_installed"), installed_again, 2),
}


@pytest.mark.parametrize("kind", ENDS)
def test_what_one_process_ends_no_other_lets_in(
    kind: str, app: DeployedApp, both: list[httpx.Client]
) -> None:
    end = ENDS[kind]
    consented_again(app)
    for turn in range(end.rounds):
        one, other = both[turn % 2], both[(turn + 1) % 2]
        assert call(other, app).status_code == 200
        end.do(one, app)
        refused = call(other, app)
        end.back(app)
        assert (refused.status_code, refused.json()["reason"]) == end.refused, refused.text
        assert call(other, app).status_code == 200


def test_what_was_ended_while_a_body_came_is_refused(several: Several, app: DeployedApp) -> None:
    """The head was let in; what it asked for begins when its body is here, and is decided then."""
    one, other = several.gateways
    label = uuid.uuid4().hex
    with several.line(app, one) as line, several.through(other) as client:
        line.send(line.head("POST", f"/run/{label}", "Content-Length: 2") + b"0")
        switched_off(client, app)
        line.send(b".")
        status, _, body = line.reply()
        app.turn(on=True)
        assert (status, json.loads(body)["reason"]) == (403, "rest_apis_off")
    assert app.call("GET", f"/runs/{label}").text == "0"
