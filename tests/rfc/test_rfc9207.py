"""RFC 9207, `iss` in authorization responses.

Two servers are mixed up in tests/attacks/test_mix.py.
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


def test_section_3_metadata_says_so(server: Server) -> None:
    told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["issuer"] == server.url
