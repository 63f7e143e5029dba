"""RFC 7009, token revocation.

Planted bugs that these tests were seen to fail on: another client's token revoked, or told dead;
any well-formed secret taken; 400 for an unknown token, or for one that was revoked before; nothing
done; the refresh token dead and its access tokens live, or the other way about; a used refresh
token, an access token that has expired or is for one API, or a public client's of no effect; the
hint obeyed, or an unknown hint refused; 200 where no token came; GET taken.
"""

from __future__ import annotations

import httpx
import pytest

from oauth_world import Server, pkce
from sallyport.model.access import ClientKind
from sallyport.vocab.clock import HOUR


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
        answer = server.revoke(tokens[which], **rival)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert server.resources(tokens["access_token"]).status_code == 200


def test_section_2_1_the_client_is_authenticated(server: Server) -> None:
    """A secret of another client is as wrong as what is none."""
    token = server.tokens()["access_token"]
    for secret in ("wrong", server.world.rival_secret):
        answer = server.revoke(token, client_secret=secret)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert server.resources(token).status_code == 200


def test_section_2_1_a_public_client_revokes_by_its_id(server: Server) -> None:
    client_id = server.integration(ClientKind.PUBLIC)
    verifier, challenge = pkce()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = server.code(client_id=client_id, **asked)
    mine = {"client_id": client_id, "client_secret": None}
    tokens = server.exchange(code, code_verifier=verifier, **mine).json()
    form = {"client_id": client_id, "token": tokens["refresh_token"]}
    assert server.post("/oauth/revoke", form).status_code == 200
    assert server.resources(tokens["access_token"]).status_code == 401


def test_section_2_1_a_token_that_has_had_its_time_ends_its_family_too(server: Server) -> None:
    """A refresh token that was used, an access token that has expired."""
    first = server.tokens()
    second = server.refresh(first["refresh_token"]).json()
    assert server.revoke(first["refresh_token"]).status_code == 200
    assert server.resources(second["access_token"]).status_code == 401
    tokens = server.tokens()
    server.clock.advance(2 * HOUR)
    assert server.revoke(tokens["access_token"]).status_code == 200
    assert server.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_section_2_1_a_token_for_one_api_ends_its_family_too(server: Server) -> None:
    """RFC 8707."""
    world = server.world
    api = f"/svc/jira/{world.site.id}/apps/{world.app.id}_{world.environment.id}"
    tokens = server.tokens(resource=server.url + api)
    assert server.revoke(tokens["access_token"]).status_code == 200
    assert server.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_section_2_1_the_hint_is_a_hint(server: Server, hint: str) -> None:
    tokens = server.tokens()
    assert server.revoke(tokens["refresh_token"], token_type_hint=hint).status_code == 200
    assert server.resources(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("token", ["x", "sprt_" + "a" * 43 + "_000000", "e30.e30.e30"])
def test_section_2_2_what_is_not_known_is_200(server: Server, token: str) -> None:
    assert server.revoke(token).status_code == 200


def test_section_2_2_so_is_what_was_revoked_before(server: Server) -> None:
    tokens = server.tokens()
    for which in ("refresh_token", "access_token", "refresh_token"):
        assert server.revoke(tokens[which]).status_code == 200


def test_section_2_1_the_token_comes_in_the_body(server: Server) -> None:
    assert server.revoke("").json()["error"] == "invalid_request"
    assert httpx.get(f"{server.url}/oauth/revoke", params={"token": "x"}).status_code == 405
