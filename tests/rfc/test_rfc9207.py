"""RFC 9207, `iss` in authorization responses.

Two servers are mixed up in tests/attacks/test_mix.py.

Planted bugs that these tests were seen to fail on: `iss` only beside a code, only beside an error,
not beside a denial, or not where consent was remembered; `iss` twice, with a slash, or the token
endpoint; metadata that says nothing of it, or no.
"""

from __future__ import annotations

import httpx
import pytest

from oauth_world import Server, redirected


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_section_2_every_answer_carries_the_issuer_once(server: Server, decision: str) -> None:
    """Section 2: success and error responses alike; section 2.1: identical to the issuer."""
    assert redirected(server.answer(server.request(), decision=decision))["iss"] == server.url


@pytest.mark.parametrize(
    "changes", [{"response_type": "token"}, {"scope": "no:such:custom"}, {"prompt": "none x"}]
)
def test_section_2_so_does_a_refusal_before_anybody_is_asked(
    server: Server, changes: dict[str, str]
) -> None:
    told = redirected(server.ask(server.request(**changes)))
    assert told["error"]
    assert told["iss"] == server.url


def test_section_2_so_does_an_answer_that_nobody_was_asked_for(server: Server) -> None:
    """Consent is remembered; the client is linked on one site, so there is none to choose."""
    asked = server.request(client_id=server.world.rival.client_id, prompt=None)
    assert redirected(server.answer(asked))["code"]
    told = redirected(server.ask(asked))
    assert told["code"]
    assert told["iss"] == server.url


def test_section_3_metadata_says_so(server: Server) -> None:
    told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["issuer"] == server.url
