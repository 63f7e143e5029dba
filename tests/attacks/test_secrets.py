"""T-SEC: a client secret that ended gets no more tokens, however lately it was good.

Planted bugs that these tests were seen to fail on: the transaction that issues does not look at the
secret; it looks only whether the client has a live one.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from access_world import READ, actor
from oauth_world import Server
from sallyport.store.audit import audit_of_site
from sallyport.store.client_secrets import add_secret, end_previous_secret
from sallyport.store.integrations import revoke_integration
from sallyport.store.service_accounts import create_service_account
from sallyport.vocab import ids


@dataclass
class Machine:
    """A service account with its first secret."""

    server: Server
    client_id: str
    secret: str

    def ask(self, secret: str | None = None) -> httpx.Response:
        return self.server.post(
            "/oauth/token",
            {
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": secret or self.secret,
            },
        )

    def issued(self) -> int:
        store, site_id = self.server.world.store, self.server.world.site.id
        lines = self.server.act(store.read(audit_of_site, site_id, before=None, limit=1000))
        return sum(
            line.event == "token:issued" and line.detail["client_id"] == self.client_id
            for line in lines
        )


def machine(server: Server) -> Machine:
    world, secret = server.world, ids.new_secret(ids.CLIENT_SECRET)
    made = server.act(
        world.store.write(
            create_service_account,
            actor(world.developer),
            world.developer.id,
            "Robot",
            world.link(scopes=frozenset({READ})),
            ids.digest(secret),
        )
    )
    return Machine(server, made.client_id, secret)


@pytest.fixture
def robot(server: Server) -> Machine:
    return machine(server)


def move_on(server: Server, client_id: str, to: str | None = None) -> str:
    """Give a client another secret and end the one before it; the new secret."""
    store, other = server.world.store, to or ids.new_secret(ids.CLIENT_SECRET)
    by = actor(server.world.developer)
    server.act(store.write(add_secret, by, client_id, ids.digest(other)))
    assert server.act(store.write(end_previous_secret, by, client_id))
    return other


def test_a_secret_that_ended_gets_no_token_by_client_credentials(robot: Machine) -> None:
    assert robot.ask().status_code == 200
    other = move_on(robot.server, robot.client_id)
    for _ in range(2):
        refused = robot.ask()
        assert refused.status_code == 401
        assert refused.json()["error"] == "invalid_client"
        assert refused.headers["www-authenticate"].startswith("Basic ")
    assert robot.issued() == 1
    assert robot.ask(other).status_code == 200
    assert robot.ask().status_code == 401


def test_a_secret_that_ended_neither_uses_up_a_refresh_token_nor_a_code(server: Server) -> None:
    world = server.world
    token = server.refresh(server.tokens()["refresh_token"]).json()["refresh_token"]
    code = server.code()
    other = move_on(server, world.client_id)
    # What is refused before any transaction is refused for the secret too.
    assert server.refresh("x").json()["error"] == "invalid_client"
    assert server.refresh(token).json()["error"] == "invalid_client"
    assert server.exchange(code).json()["error"] == "invalid_client"
    assert server.refresh(token, client_secret=other).status_code == 200
    assert server.exchange(code, client_secret=other).status_code == 200
    move_on(server, world.client_id, to=world.secret)
    assert server.tokens()["refresh_token"]


def test_a_revoked_client_gets_nothing_with_a_secret_that_was_good_just_now(robot: Machine) -> None:
    assert robot.ask().status_code == 200
    world = robot.server.world
    revoke = revoke_integration, actor(world.developer), robot.client_id
    assert robot.server.act(world.store.write(*revoke))
    assert robot.ask().json()["error"] == "invalid_client"
    assert robot.issued() == 1


def test_the_secret_of_one_client_is_no_secret_of_another(server: Server) -> None:
    one, two = machine(server), machine(server)
    assert one.ask().status_code == two.ask().status_code == 200
    assert one.ask(two.secret).status_code == 401
    assert two.ask(one.secret).status_code == 401
    assert (one.issued(), two.issued()) == (1, 1)
