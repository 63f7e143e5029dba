"""RFC 6749, the OAuth 2.0 framework, with the restrictions of OAuth 2.1.

Codes and refresh tokens under attack are in tests/attacks/test_code.py and test_refresh.py,
redirect URIs in test_redirect.py, the rest of the endpoint's answers in tests/oauth/.
"""

from __future__ import annotations

import base64

import httpx
import pytest

from access_world import CALLBACK
from oauth_world import Server, redirected


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


@pytest.mark.parametrize("response_type", ["token", "id_token", "code token", "none"])
def test_section_3_1_1_no_response_type_but_code(server: Server, response_type: str) -> None:
    """OAuth 2.1: no implicit grant."""
    told = redirected(server.ask(server.request(response_type=response_type)))
    assert told["error"] == "unsupported_response_type"


@pytest.mark.parametrize(
    "grant_type", ["password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit"]
)
def test_section_5_2_no_other_grant_types(server: Server, grant_type: str) -> None:
    """OAuth 2.1: no password grant; `unsupported_grant_type`."""
    answer = server.token(grant_type=grant_type, username="a", password="b")
    refused(answer, "unsupported_grant_type")


def test_section_2_3_1_secrets_come_by_basic_or_in_the_body(server: Server) -> None:
    """Basic must be taken, with both parts form-encoded; never both ways at once."""
    world = server.world
    basic = base64.b64encode(f"{world.client_id}:{world.secret}".encode()).decode()
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    headers = {"Authorization": f"Basic {basic}"}
    assert server.post("/oauth/token", {**form, "code": server.code()}, headers=headers).is_success
    both = {**form, "code": server.code(), "client_secret": world.secret}
    refused(server.post("/oauth/token", both, headers=headers), "invalid_request")


def test_section_5_2_who_is_not_known_is_401_with_a_challenge(server: Server) -> None:
    answer = server.token(client_secret="wrong", grant_type="refresh_token", refresh_token="x")
    refused(answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_section_3_2_parameters_come_once_and_not_in_the_address(server: Server) -> None:
    form = {"client_id": server.world.client_id, "client_secret": server.world.secret}
    twice = {**form, "grant_type": ["refresh_token", "refresh_token"]}
    refused(httpx.post(f"{server.url}/oauth/token", data=twice), "invalid_request")
    refused(server.post("/oauth/token?grant_type=refresh_token", form), "invalid_request")
    assert httpx.get(f"{server.url}/oauth/token").status_code == 405


def test_section_4_1_2_state_comes_back_unchanged(server: Server) -> None:
    for state in ("x+y/z=&", "a b", "\u00e9"):
        assert redirected(server.answer(server.request(state=state)))["state"] == state
    assert "state" not in redirected(server.answer(server.request(state=None)))


def test_section_4_1_3_the_redirect_uri_is_the_one_of_the_request(server: Server) -> None:
    code = server.code()
    refused(server.exchange(code, redirect_uri=None), "invalid_grant")
    refused(server.exchange(code, redirect_uri="https://client.test/cb"), "invalid_grant")
    assert server.exchange(code).is_success


def test_section_5_1_the_answer_is_whole_and_not_stored(server: Server) -> None:
    answer = server.exchange(server.code())
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    told = answer.json()
    assert told.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert isinstance(told["expires_in"], int)


def test_section_6_a_refresh_asks_for_no_more(server: Server) -> None:
    token = server.tokens(scope="read:employee:custom offline_access")["refresh_token"]
    refused(server.refresh(token, scope="write:employee:custom"), "invalid_scope")
    assert server.refresh(token).is_success


def test_section_4_4_client_credentials_are_for_service_accounts(server: Server) -> None:
    refused(server.token(grant_type="client_credentials"), "unauthorized_client")
