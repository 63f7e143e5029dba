"""RFC 6749, the OAuth 2.0 framework, with the restrictions of OAuth 2.1.

Codes and refresh tokens under attack are in tests/attacks/test_code.py and test_refresh.py,
redirect URIs in test_redirect.py, the rest of the endpoint's answers in tests/oauth/.

Planted bugs that these tests were seen to fail on: two ways of client authentication taken at once;
Basic not form-decoded; no secret asked for; `invalid_client` at 400, or without a challenge;
tokens, or refusals, that may be stored; `state` not returned, or only beside a code; a parameter
taken twice in the body or the address; the address taken beside the body; a code with no redirect
URI, of another client, or after its time; `code` looked for in `response_type`; an unknown grant
type or a denial told by another error; `expires_in` in milliseconds; `scope` left out; a refresh
for more than there was.
"""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from access_world import CALLBACK
from oauth_world import Server, redirected
from sallyport.vocab.clock import SECOND


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    """Section 5.2, and as little to be stored as an answer with tokens."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header, each part with every character form-encoded (section 2.3.1)."""
    encoded = ["".join(f"%{byte:02X}" for byte in each.encode()) for each in (client_id, secret)]
    return {"Authorization": f"Basic {base64.b64encode(':'.join(encoded).encode()).decode()}"}


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
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    plain = base64.b64encode(f"{world.client_id}:{world.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {plain}"}
    for each in (headers, basic(world.client_id, world.secret)):
        assert server.post("/oauth/token", {**form, "code": server.code()}, headers=each).is_success
    both = {**form, "code": server.code(), "client_secret": world.secret}
    refused(server.post("/oauth/token", both, headers=headers), "invalid_request")


def test_section_5_2_who_is_not_known_is_401_with_a_challenge(server: Server) -> None:
    """With no secret, what is none, or another client's."""
    code = server.code()
    for secret in (None, "wrong", server.world.rival_secret):
        answer = server.exchange(code, client_secret=secret)
        refused(answer, "invalid_client", 401)
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert server.exchange(code).is_success


def test_section_3_2_parameters_come_once_and_not_in_the_address(server: Server) -> None:
    form = {
        "client_id": server.world.client_id,
        "client_secret": server.world.secret,
        "grant_type": "authorization_code",
        "code": server.code(),
        "redirect_uri": CALLBACK,
    }
    for name, value in form.items():
        twice: dict[str, Any] = {**form, name: [value, value]}
        refused(httpx.post(f"{server.url}/oauth/token", data=twice), "invalid_request")
    refused(server.post("/oauth/token?grant_type=authorization_code", form), "invalid_request")
    assert httpx.get(f"{server.url}/oauth/token", params=form).status_code == 405
    assert server.post("/oauth/token", form).is_success


@pytest.mark.parametrize("name", ["scope", "state", "response_type", "prompt"])
def test_section_3_1_parameters_come_once_at_authorize_too(server: Server, name: str) -> None:
    asked = server.request()
    told = redirected(server.ask([*asked.items(), (name, asked[name])]))
    assert told["error"] == "invalid_request"


def test_section_4_1_2_state_comes_back_unchanged(server: Server) -> None:
    for state in ("x+y/z=&", "a b", "\u00e9"):
        assert redirected(server.answer(server.request(state=state)))["state"] == state
        told = redirected(server.answer(server.request(state=state), decision="deny"))
        assert (told["error"], told["state"]) == ("access_denied", state)
    assert "state" not in redirected(server.answer(server.request(state=None)))


def test_section_4_1_2_a_code_lives_for_a_minute(server: Server) -> None:
    codes = [server.code(), server.code()]
    server.clock.advance(60 * SECOND - 1)
    assert server.exchange(codes[0]).is_success
    server.clock.advance(1)
    refused(server.exchange(codes[1]), "invalid_grant")


def test_section_4_1_3_the_client_is_the_one_of_the_request(server: Server) -> None:
    code, rival = server.code(), server.world.rival
    other = {"client_id": rival.client_id, "client_secret": server.world.rival_secret}
    refused(server.exchange(code, **other), "invalid_grant")
    assert server.exchange(code).is_success


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
    assert told["expires_in"] == 3600


def test_section_6_a_refresh_asks_for_no_more(server: Server) -> None:
    token = server.tokens(scope="read:employee:custom offline_access")["refresh_token"]
    refused(server.refresh(token, scope="write:employee:custom"), "invalid_scope")
    assert server.refresh(token).is_success


def test_section_4_4_client_credentials_are_for_service_accounts(server: Server) -> None:
    refused(server.token(grant_type="client_credentials"), "unauthorized_client")
