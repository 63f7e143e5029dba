"""T-MIX: an answer says whose it is (RFC 9207), and what one server gave is nothing to another.

Two authorization servers with the same client id, as a client of both would have them.

Planted bugs that these tests were seen to fail on: `iss` left out of answers, or of refusals alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from access_world import CALLBACK
from oauth_world import Server, authorization_server, redirected


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers, each with its own world."""
    with (
        authorization_server(tmp_path_factory.mktemp("one")) as one,
        authorization_server(tmp_path_factory.mktemp("other")) as other,
    ):
        yield one, other


def opened(server: Server, **changes: str | None) -> dict[str, str]:
    """A pushed request, as the browser carries it."""
    form = {**server.request(**changes), "client_secret": server.world.secret}
    pushed = server.post("/oauth/par", form)
    assert pushed.status_code == 201, pushed.text
    asked = {
        "client_id": server.world.client_id,
        "request_uri": pushed.json()["request_uri"],
    }
    return dict(httpx.URL(server.ask(asked).headers["location"]).params)


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_success_and_error_name_the_issuer_and_the_state(
    two: tuple[Server, Server], pushed: bool, decision: str
) -> None:
    for server in two:
        asked = opened(server) if pushed else server.request()
        # `redirected` sees to it that each parameter comes once.
        answer = redirected(server.answer(asked, decision=decision))
        assert answer["iss"] == server.url
        assert answer["state"] == server.request()["state"]
        assert ("code" in answer) is (decision == "allow")


@pytest.mark.parametrize("pushed", [False, True])
def test_errors_before_anybody_is_asked_name_it_too(
    two: tuple[Server, Server], pushed: bool
) -> None:
    for server in two:
        asked = opened(server, prompt="none") if pushed else server.request(prompt="none")
        with httpx.Client() as stranger:
            answer = redirected(stranger.get(f"{server.url}/authorize", params=asked))
        assert (answer["error"], answer["iss"]) == ("login_required", server.url)
        told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
        assert told["issuer"] == answer["iss"]
        assert told["authorization_response_iss_parameter_supported"] is True


def test_the_issuer_is_not_what_the_host_header_says(two: tuple[Server, Server]) -> None:
    one, other = two
    cookies = {"who": one.world.member.id}
    headers = {"Host": other.url.removeprefix("http://"), "Sec-Fetch-Site": "same-origin"}
    form = {**one.request(), "decision": "allow", "site": one.world.site.id}
    with httpx.Client(cookies=cookies) as browser:
        answer = redirected(browser.post(f"{one.url}/authorize", data=form, headers=headers))
    assert answer["iss"] == one.url


def test_what_one_server_gave_is_nothing_to_the_other(two: tuple[Server, Server]) -> None:
    """A code, a refresh token, an access token, a pushed request: each is its server's own."""
    one, other = two

    def exchange(server: Server, code: str) -> Any:
        return server.exchange(code).json().get("error")

    code = one.code()
    assert exchange(other, code) == "invalid_grant"
    tokens = one.exchange(code).json()
    assert "access_token" in tokens, "the stranger's attempt must have cost nothing"
    assert other.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert other.introspect(tokens["access_token"]).json() == {"active": False}
    assert other.introspect(tokens["refresh_token"]).json() == {"active": False}
    assert other.resources(tokens["access_token"]).status_code == 401
    assert one.resources(tokens["access_token"]).status_code == 200
    asked = {**opened(one), "client_id": other.world.client_id}
    assert other.ask(asked).status_code == 400


def test_a_code_of_one_client_is_nothing_to_another(two: tuple[Server, Server]) -> None:
    """Two clients of one server: the mixed-up code is refused, and stays good for its own."""
    one, _ = two
    code = one.code()
    rival = {"client_id": one.world.rival.client_id, "client_secret": one.world.rival_secret}
    mixed = one.token(grant_type="authorization_code", code=code, redirect_uri=CALLBACK, **rival)
    assert mixed.json()["error"] == "invalid_grant"
    assert one.exchange(code).status_code == 200
