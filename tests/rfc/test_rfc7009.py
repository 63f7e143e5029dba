"""RFC 7009, token revocation."""

from __future__ import annotations

import httpx
import pytest

from oauth_world import Server


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_section_2_1_either_token_ends_its_whole_family(server: Server, which: str) -> None:
    tokens = server.tokens()
    assert server.revoke(tokens[which]).status_code == 200
    assert server.resources(tokens["access_token"]).status_code == 401
    assert server.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_section_2_1_a_client_revokes_its_own_alone(server: Server) -> None:
    world = server.world
    tokens = server.tokens()
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    for which in ("access_token", "refresh_token"):
        assert server.revoke(tokens[which], **rival).status_code == 400
    assert server.resources(tokens["access_token"]).status_code == 200


def test_section_2_1_the_client_is_authenticated(server: Server) -> None:
    answer = server.revoke(server.tokens()["access_token"], client_secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_section_2_1_the_hint_is_a_hint(server: Server, hint: str) -> None:
    tokens = server.tokens()
    assert server.revoke(tokens["refresh_token"], token_type_hint=hint).status_code == 200
    assert server.resources(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("token", ["x", "sprt_" + "a" * 43 + "_000000", "e30.e30.e30"])
def test_section_2_2_what_is_not_known_is_200(server: Server, token: str) -> None:
    assert server.revoke(token).status_code == 200


def test_section_2_1_the_token_comes_in_the_body(server: Server) -> None:
    assert server.revoke("").json()["error"] == "invalid_request"
    assert httpx.get(f"{server.url}/oauth/revoke", params={"token": "x"}).status_code == 405
