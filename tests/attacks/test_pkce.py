"""T-PKCE: a challenge that was made must be met, and none can be smuggled in or out.

Planted bugs that these tests were seen to fail on: no verifier taken as a right one; `plain` taken;
a verifier ignored where no challenge was; padding taken in the challenge.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from oauth_world import Server, pkce, redirected


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": "c" * 43},
        {"code_challenge": "c" * 43, "code_challenge_method": "plain"},
        {"code_challenge": "c" * 43, "code_challenge_method": "s256"},
        {"code_challenge": "c" * 43, "code_challenge_method": ""},
        {"code_challenge_method": "S256"},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge": ""},
        {"code_challenge": "c" * 42, "code_challenge_method": "S256"},
        {"code_challenge": "c" * 44, "code_challenge_method": "S256"},
        {"code_challenge": "c" * 43 + "=", "code_challenge_method": "S256"},
        {"code_challenge": "c" * 42 + "+", "code_challenge_method": "S256"},
        {"code_challenge": "c" * 42 + "é", "code_challenge_method": "S256"},
    ],
)
def test_a_challenge_is_s256_and_whole_or_the_request_is_refused(
    server: Server, changes: dict[str, str]
) -> None:
    for answer in (server.ask(server.request(**changes)), server.answer(server.request(**changes))):
        told = redirected(answer)
        assert told["error"] == "invalid_request"
        assert told["error_description"].startswith("code_challenge")


def test_only_the_verifier_of_this_code_redeems_it_and_wrong_ones_do_not_spoil_it(
    server: Server,
) -> None:
    verifier, challenge = pkce()
    other, other_challenge = pkce()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = server.code(**asked)
    server.code(**{**asked, "code_challenge": other_challenge})
    for wrong in (
        None,
        "",
        other,
        challenge,
        verifier[:-1],
        verifier + "A",
        verifier[:42],
        "v" * 42,
        "v" * 129,
        verifier + "=",
        "é" * 43,
    ):
        answer = server.exchange(code, code_verifier=wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), wrong
    assert server.exchange(code, code_verifier=verifier).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(server: Server) -> None:
    """An attacker who stripped the challenge from the request must not get through."""
    code = server.code()
    verifier, _ = pkce()
    answer = server.exchange(code, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert server.exchange(code).status_code == 200


@pytest.mark.parametrize("length", [43, 128])
def test_verifiers_of_every_lawful_length_work(server: Server, length: int) -> None:
    verifier = ("aZ09-._~" * 16)[:length]
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    code = server.code(code_challenge=challenge, code_challenge_method="S256")
    assert server.exchange(code, code_verifier=verifier).status_code == 200
