"""Clients of every kind: PKCE, secrets, and where their browsers may return.

Planted bugs that these tests were seen to fail on: PKCE left to every client; a confidential client
let in without its secret; any port taken from a confidential client.
"""

from __future__ import annotations

import pytest

from access_world import CALLBACK
from oauth_world import Server, on_page, pkce, redirected
from sallyport.model.access import ClientKind, Integration
from sallyport.model.redirects import is_registered

LOOPBACK = "http://127.0.0.1/cb?a=1"


@pytest.mark.parametrize("kind", [ClientKind.CONFIDENTIAL, ClientKind.PUBLIC])
def test_a_client_that_is_not_forge_compatible_must_use_pkce(
    server: Server, kind: ClientKind
) -> None:
    client_id = server.integration(kind)
    for answer in (
        server.ask(server.request(client_id=client_id)),
        server.answer(server.request(client_id=client_id)),
    ):
        told = redirected(answer)
        assert told["error"] == "invalid_request"
        assert "PKCE with S256" in told["error_description"]
        assert "code" not in told


def test_a_public_client_gets_tokens_by_its_verifier_and_rotates_them(server: Server) -> None:
    client_id = server.integration(ClientKind.PUBLIC)
    me: dict[str, str | None] = {"client_id": client_id, "client_secret": None}
    verifier, challenge = pkce()
    code = server.code(client_id=client_id, code_challenge=challenge, code_challenge_method="S256")
    for wrong in (None, pkce()[0]):
        answer = server.exchange(code, **me, code_verifier=wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    answer = server.exchange(code, **me, code_verifier=verifier)
    assert answer.status_code == 200, answer.text
    first = answer.json()["refresh_token"]
    refreshed = server.refresh(first, **me)
    assert refreshed.status_code == 200
    assert refreshed.json()["refresh_token"] != first

    ended = server.post(
        "/oauth/revoke", {"client_id": client_id, "token": refreshed.json()["refresh_token"]}
    )
    assert ended.status_code == 200
    assert server.resources(refreshed.json()["access_token"]).status_code == 401


def test_a_confidential_client_is_nobody_without_its_secret(server: Server) -> None:
    code = server.code()
    for secret in (None, "", "wrong"):
        answer = server.exchange(code, client_secret=secret)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert server.exchange(code).status_code == 200


def test_a_public_clients_code_is_no_good_to_another_client(server: Server) -> None:
    verifier, challenge = pkce()
    code = server.code(
        client_id=server.integration(ClientKind.PUBLIC),
        code_challenge=challenge,
        code_challenge_method="S256",
    )
    other = server.integration(ClientKind.PUBLIC)
    answer = server.exchange(code, client_id=other, client_secret=None, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_native_apps_port_may_differ_and_nothing_else(server: Server) -> None:
    client_id = server.integration(ClientKind.PUBLIC, LOOPBACK)
    verifier, challenge = pkce()
    asked = {
        "client_id": client_id,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    there = "http://127.0.0.1:51234/cb?a=1"
    told = redirected(server.answer(server.request(**asked, redirect_uri=there)), there)
    me: dict[str, str | None] = {"client_id": client_id, "client_secret": None}
    answer = server.exchange(told["code"], **me, redirect_uri=LOOPBACK, code_verifier=verifier)
    assert answer.status_code == 400
    answer = server.exchange(told["code"], **me, redirect_uri=there, code_verifier=verifier)
    assert answer.status_code == 200
    for wrong in ("http://localhost:51234/cb?a=1", "http://127.0.0.1:51234/cb"):
        on_page(server.ask(server.request(**asked, redirect_uri=wrong)))


@pytest.mark.parametrize(
    ("given", "public", "confidential"),
    [
        (LOOPBACK, True, True),
        ("http://127.0.0.1:1/cb?a=1", True, False),
        ("http://127.0.0.1:65535/cb?a=1", True, False),
        ("http://127.0.0.1:65536/cb?a=1", False, False),
        ("http://127.0.0.1:0/cb?a=1", False, False),
        ("http://127.0.0.1:080/cb?a=1", False, False),
        ("http://127.0.0.1:/cb?a=1", False, False),
        ("http://127.0.0.1:80@evil.test/cb?a=1", False, False),
        ("http://127.0.0.1.evil.test:80/cb?a=1", False, False),
        ("http://127.0.0.1:80/cb?a=1#x", False, False),
        ("http://127.0.0.1:80/CB?a=1", False, False),
        ("https://127.0.0.1:80/cb?a=1", False, False),
        ("http://[::1]:80/cb?a=1", False, False),
        ("http://127.0.0.2:80/cb?a=1", False, False),
        ("HTTP://127.0.0.1:80/cb?a=1", False, False),
        ("http://127.0.0.1:80/cb?a=1\n", False, False),
    ],
)
def test_which_addresses_are_a_clients(given: str, public: bool, confidential: bool) -> None:
    for kind, expected in ((ClientKind.PUBLIC, public), (ClientKind.CONFIDENTIAL, confidential)):
        client = Integration("c", "n", "o", (LOOPBACK, CALLBACK), (), 1, None, kind)
        assert is_registered(client, given) is expected
