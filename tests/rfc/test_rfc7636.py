"""RFC 7636, PKCE, by S256 alone. Downgrades are tried one by one in tests/attacks/test_pkce.py.

Planted bugs that these tests were seen to fail on: `plain` taken, or no method as S256; the
verifier not compared, compared with the challenge as it is, missing, or of any shape; a challenge
of any shape, not stored, or missing from a public client, or any; a verifier taken where no
challenge was; padding or another alphabet in what is compared.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from oauth_world import Server, pkce, redirected
from sallyport.model.access import ClientKind


def asked(server: Server, **changes: str | None) -> str:
    """The error that an authorization request ends with."""
    return redirected(server.ask(server.request(**changes)))["error"]


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_section_4_3_plain_is_not_supported(server: Server) -> None:
    for method in ("plain", None):
        error = asked(server, code_challenge="c" * 43, code_challenge_method=method)
        assert error == "invalid_request"


@pytest.mark.parametrize("challenge", ["c" * 42, "c" * 44, "c" * 42 + "=", "c" * 42 + "+"])
def test_section_4_2_a_challenge_is_a_sha_256_in_base64url(server: Server, challenge: str) -> None:
    error = asked(server, code_challenge=challenge, code_challenge_method="S256")
    assert error == "invalid_request"


@pytest.mark.parametrize("kind", [ClientKind.PUBLIC, ClientKind.CONFIDENTIAL])
def test_section_4_4_1_a_challenge_is_required(server: Server, kind: ClientKind) -> None:
    """RFC 9700 section 2.1.1; a Forge-compatible client alone may go without."""
    assert asked(server, client_id=server.integration(kind)) == "invalid_request"


def test_section_4_6_the_verifier_must_fit(server: Server) -> None:
    verifier, challenge = pkce()
    code = server.code(code_challenge=challenge, code_challenge_method="S256")
    for wrong in (None, challenge, pkce()[0], verifier[:42], verifier + "x" * 90):
        assert server.exchange(code, code_verifier=wrong).json()["error"] == "invalid_grant"
    assert server.exchange(code, code_verifier=verifier).is_success


@pytest.mark.parametrize("verifier", ["v" * 42, "v" * 129, "v" * 42 + "+", "v" * 42 + "\u00e9"])
def test_section_4_1_what_cannot_be_a_verifier_fits_nothing(server: Server, verifier: str) -> None:
    """43 to 128 unreserved characters, also where the challenge was made of others."""
    code = server.code(code_challenge=challenge_of(verifier), code_challenge_method="S256")
    answer = server.exchange(code, code_verifier=verifier)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", ["v" * 43, "v" * 128, "v" * 39 + "-._~"])
def test_section_4_1_what_can_be_a_verifier_is_one(server: Server, verifier: str) -> None:
    code = server.code(code_challenge=challenge_of(verifier), code_challenge_method="S256")
    assert server.exchange(code, code_verifier=verifier).is_success


def test_section_4_5_no_verifier_where_no_challenge_was(server: Server) -> None:
    """RFC 9700 section 4.8.2."""
    answer = server.exchange(server.code(), code_verifier=pkce()[0])
    assert answer.json()["error"] == "invalid_grant"
