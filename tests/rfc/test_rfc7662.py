"""RFC 7662, token introspection: a client learns of its own live tokens, and of nothing else.

Planted bugs that these tests were seen to fail on: the owner of the token not compared; the
family's end not looked at; a used refresh token told as live.
"""

from __future__ import annotations

import base64

import httpx
import pytest

from oauth_world import FULL_SCOPE, Server
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store.engine import Reader
from sallyport.store.grants import end_grant, grants_of_account

INACTIVE = {"active": False}


def test_section_2_2_a_live_access_token_is_told_whole(server: Server) -> None:
    tokens = server.tokens()
    answer = server.introspect(tokens["access_token"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.pop("jti")
    assert told.pop("exp") > 0
    assert told == {
        "active": True,
        "scope": tokens["scope"],
        "client_id": server.world.client_id,
        "sub": server.world.member.id,
        "token_type": "Bearer",
        "iss": server.url,
        "aud": server.url,
    }


def test_section_2_2_a_live_refresh_token_has_no_type(server: Server) -> None:
    tokens = server.tokens()
    told = server.introspect(tokens["refresh_token"], token_type_hint="access_token").json()
    assert told["active"] is True
    assert len(told["scope"].split()) == len(FULL_SCOPE.split())
    assert "token_type" not in told


def test_section_2_1_the_caller_is_authenticated(server: Server) -> None:
    token = server.tokens()["access_token"]
    public = server.integration(ClientKind.PUBLIC)
    for changes in (
        {"client_secret": None},
        {"client_secret": "wrong"},
        {"client_id": public, "client_secret": None},
        {"client_id": None, "client_secret": None},
    ):
        answer = server.introspect(token, **changes)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), changes
        assert "active" not in answer.json()
    basic = base64.b64encode(f"{server.world.client_id}:{server.world.secret}".encode()).decode()
    answer = httpx.post(
        f"{server.url}/oauth/introspect",
        data={"token": token},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert answer.json()["active"] is True


def test_section_2_1_the_token_is_needed_once(server: Server) -> None:
    for tokens in ([], ["a", "b"]):
        form = {
            "client_id": server.world.client_id,
            "client_secret": server.world.secret,
            "token": tokens,
        }
        answer = httpx.post(f"{server.url}/oauth/introspect", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_section_2_1_the_token_never_comes_in_the_address(server: Server) -> None:
    token = server.tokens()["access_token"]
    answer = httpx.get(f"{server.url}/oauth/introspect", params={"token": token})
    assert answer.status_code == 405


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_section_2_2_another_clients_token_is_as_if_it_were_not(server: Server, which: str) -> None:
    world = server.world
    token = server.tokens()[which]
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    assert server.introspect(token, **rival).json() == INACTIVE
    assert server.introspect(token).json()["active"] is True


@pytest.mark.parametrize("token", ["x", "a.b.c", "sprt_" + "a" * 43 + "_000000", "é", "e" * 9000])
def test_section_2_2_nonsense_is_inactive_and_no_error(server: Server, token: str) -> None:
    answer = server.introspect(token)
    assert (answer.status_code, answer.json()) == (200, INACTIVE)


def test_section_2_2_what_was_revoked_or_used_is_inactive(server: Server) -> None:
    world = server.world
    tokens = server.tokens()
    after = server.refresh(tokens["refresh_token"]).json()
    assert server.introspect(tokens["refresh_token"]).json() == INACTIVE
    assert server.introspect(after["refresh_token"]).json()["active"] is True
    server.revoke(after["access_token"])
    for token in (tokens["access_token"], after["access_token"], after["refresh_token"]):
        assert server.introspect(token).json() == INACTIVE

    tokens = server.tokens()
    grants = server.act(world.store.read(_live_grants, world.member.id))
    for grant_id in grants:
        server.act(world.store.write(end_grant, _nobody(), grant_id))
    for which in ("access_token", "refresh_token"):
        assert server.introspect(tokens[which]).json() == INACTIVE


def test_section_2_2_what_has_expired_is_inactive(server: Server) -> None:
    tokens = server.tokens(scope=FULL_SCOPE)
    server.clock.advance(3_600_000)
    assert server.introspect(tokens["access_token"]).json() == INACTIVE
    assert server.introspect(tokens["refresh_token"]).json()["active"] is True
    server.clock.advance(90 * 86_400_000)
    assert server.introspect(tokens["refresh_token"]).json() == INACTIVE


async def _live_grants(reader: Reader, account_id: str) -> list[str]:
    return [each.grant.id for each in await grants_of_account(reader, account_id)]


def _nobody() -> Actor:
    return Actor(account_id=None, name="a test")
