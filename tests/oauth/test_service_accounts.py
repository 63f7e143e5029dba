"""Client credentials (RFC 6749 section 4.4): a service account gets what an admin allowed it.

Planted bugs that these tests were seen to fail on: scopes asked for not held against the grant; any
client served, whatever its kind; the membership not looked at; a public client taken without a
secret where it has one to show.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from access_world import JIRA, READ, WRITE
from oauth_world import Server, on_page
from sallyport.model.access import ClientKind, ServiceAccount
from sallyport.model.directory import Actor
from sallyport.store.approvals import approvals_of_site
from sallyport.store.audit import AuditLine, audit_of_site
from sallyport.store.client_secrets import add_secret
from sallyport.store.directory import end_membership
from sallyport.store.grants import end_grant, grants_of_site
from sallyport.store.integrations import integrations_of_owner, remove_link
from sallyport.store.service_accounts import create_service_account, end_service_account
from sallyport.store.service_requests import (
    answer_service_request,
    ask_service_account,
    give_first_secret,
)
from sallyport.vocab import ids

NOBODY = Actor(account_id=None, name="a test")


@dataclass
class Robot:
    server: Server
    account: ServiceAccount
    secret: str

    def token(self, **changes: str | None) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.account.client_id,
            "client_secret": self.secret,
            **changes,
        }
        return self.server.post("/oauth/token", {k: v for k, v in form.items() if v is not None})

    def access_token(self) -> str:
        answer = self.token()
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["access_token"]
        return text


@pytest.fixture
def robot(server: Server) -> Robot:
    world = server.world
    secret = ids.new_secret(ids.CLIENT_SECRET)
    account = server.act(
        world.store.write(
            create_service_account,
            Actor(world.developer.id, world.developer.name),
            world.developer.id,
            "Robot",
            world.link(scopes=frozenset({READ})),
            ids.digest(secret),
        )
    )
    return Robot(server, account, secret)


def test_it_gets_a_token_for_what_it_was_allowed_and_no_refresh_token(robot: Robot) -> None:
    answer = robot.token()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    token = body.pop("access_token")
    world = robot.server.world
    assert body == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": " ".join(sorted([f"{world.namespace}:{READ}", JIRA])),
    }
    (site,) = robot.server.resources(token).json()
    assert site["id"] == world.site.id


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        (READ, {READ}),
        (f"{READ} {JIRA}", {READ, JIRA}),
        (f"{{namespace}}:{READ}", {READ}),
        ("", {READ, JIRA}),
    ],
)
def test_it_may_ask_for_less(robot: Robot, scope: str, granted: set[str]) -> None:
    namespace = robot.server.world.namespace
    answer = robot.token(scope=scope.format(namespace=namespace))
    told = {each.removeprefix(f"{namespace}:") for each in answer.json()["scope"].split()}
    assert told == granted


@pytest.mark.parametrize("scope", [WRITE, f"{READ} {WRITE}", "offline_access", JIRA, "x", "*"])
def test_it_never_gets_more(robot: Robot, scope: str) -> None:
    answer = robot.token(scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert "access_token" not in answer.json()


def test_it_must_show_its_secret(robot: Robot) -> None:
    for secret in (None, "", "wrong", robot.secret[:-1], robot.server.world.secret):
        answer = robot.token(client_secret=secret)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), secret


def test_other_clients_get_nothing_by_client_credentials(robot: Robot) -> None:
    server = robot.server
    server.tokens()
    public = server.integration(ClientKind.PUBLIC)
    for client in (
        {"client_id": server.world.client_id, "client_secret": server.world.secret},
        {"client_id": public, "client_secret": None},
    ):
        answer = robot.token(**client)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_it_is_no_client_of_the_code_flow(robot: Robot) -> None:
    server = robot.server
    wanted = server.request(client_id=robot.account.client_id)
    assert on_page(server.ask(wanted))["title"] == "Unknown integration"
    assert on_page(server.answer(wanted))["title"] == "Unknown integration"


def test_a_token_is_revoked_alone(robot: Robot) -> None:
    first, second = robot.access_token(), robot.access_token()
    form = {
        "client_id": robot.account.client_id,
        "client_secret": robot.secret,
        "token": first,
    }
    assert robot.server.post("/oauth/revoke", form).status_code == 200
    assert robot.server.resources(first).status_code == 401
    assert robot.server.resources(second).status_code == 200
    assert robot.server.post("/oauth/introspect", {**form, "token": second}).json()["active"]


@pytest.mark.parametrize("how", ["account", "grant", "membership", "link"])
def test_whatever_ends_behind_it_ends_it(robot: Robot, how: str) -> None:
    server, grant = robot.server, robot.account.grant
    token, store = robot.access_token(), robot.server.world.store
    assert server.resources(token).json() != []
    ends: dict[str, Any] = {
        "account": (end_service_account, NOBODY, robot.account),
        "grant": (end_grant, NOBODY, grant.id),
        "membership": (end_membership, grant.account_id, grant.site_id),
        "link": (
            remove_link,
            NOBODY,
            robot.account.client_id,
            grant.site_id,
            grant.environment_id,
        ),
    }
    assert server.act(store.write(*ends[how]))
    answer = robot.token()
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_client", "unauthorized_client")
    left = server.resources(token)
    assert left.status_code == 401 or left.json() == []


def test_each_token_has_its_audit_row_when_many_ask_at_once(robot: Robot) -> None:
    answers: list[httpx.Response] = []
    ready = threading.Barrier(24)

    def ask() -> None:
        ready.wait(30)
        answers.append(robot.token())

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [each.status_code for each in answers] == [200] * 24
    lines = [
        each
        for each in _audit(robot.server)
        if each.event == "token:issued" and each.detail["client_id"] == robot.account.client_id
    ]
    assert len({each.subject for each in lines}) == 24
    assert {each.account_id for each in lines} == {robot.account.grant.account_id}


def test_both_live_secrets_work(robot: Robot) -> None:
    other = ids.new_secret(ids.CLIENT_SECRET)
    store = robot.server.world.store
    robot.server.act(store.write(add_secret, NOBODY, robot.account.client_id, ids.digest(other)))
    assert robot.token().status_code == 200
    assert robot.token(client_secret=other).status_code == 200


def test_it_is_listed_neither_among_integrations_nor_among_consents(robot: Robot) -> None:
    store, world = robot.server.world.store, robot.server.world
    mine = robot.server.act(store.read(integrations_of_owner, world.developer.id))
    given = robot.server.act(store.read(grants_of_site, world.site.id))
    assert robot.account.client_id not in {each.client_id for each in mine}
    assert robot.account.client_id not in {each.grant.client_id for each in given}


def _audit(server: Server) -> tuple[AuditLine, ...]:
    store, site_id = server.world.store, server.world.site.id
    return server.act(store.read(audit_of_site, site_id, before=None, limit=1000))


def test_one_that_was_asked_for_gets_nothing_before_it_is_approved(server: Server) -> None:
    world = server.world
    store = world.store
    member = Actor(world.member.id, world.member.name)
    link = world.link(scopes=frozenset({READ, WRITE}))
    client_id = server.act(
        store.write(ask_service_account, member, member.account_id, "Robot", link, "")
    )
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "x"}
    assert server.post("/oauth/token", form).json()["error"] == "invalid_client"
    (request,) = server.act(store.read(approvals_of_site, world.site.id, pending=True))
    approved = frozenset({READ, JIRA})
    assert server.act(store.write(answer_service_request, NOBODY, request, approved, "reading"))
    assert server.post("/oauth/token", form).json()["error"] == "invalid_client"
    secret = ids.new_secret(ids.CLIENT_SECRET)
    give = store.write(give_first_secret, member, client_id, ids.digest(secret))
    assert server.act(give)
    answer = server.post("/oauth/token", {**form, "client_secret": secret})
    assert answer.status_code == 200, answer.text
    assert READ in answer.json()["scope"]
    assert WRITE not in answer.json()["scope"]
    again = ids.digest(ids.new_secret(ids.CLIENT_SECRET))
    assert not server.act(store.write(give_first_secret, member, client_id, again))
