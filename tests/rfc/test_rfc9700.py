"""RFC 9700, best current practice of OAuth security, as far as no other standard's file has it.

Stolen refresh tokens are in tests/attacks/test_refresh.py, redirect URIs in test_redirect.py.

Planted bugs that these tests were seen to fail on: 302 or 307 for 303; no Referrer-Policy; an
answer that may be stored; redirect URIs compared by prefix, by folder, in lower case, or not at
all; a refresh token that stays; its reuse, or a code's, refused without an end of the family, or
taken; `iss` left out.
"""

from __future__ import annotations

from access_world import CALLBACK
from oauth_world import Server, on_page, redirected


def test_section_2_1_redirect_uris_match_exactly(server: Server) -> None:
    for uri in (CALLBACK + "x", CALLBACK + "&b=1", CALLBACK.upper(), "https://client.test/*"):
        on_page(server.ask(server.request(redirect_uri=uri)))


def test_section_4_12_the_browser_is_sent_on_by_303(server: Server) -> None:
    """So that the form with the decision is not posted to the client."""
    assert server.answer(server.request()).status_code == 303


def test_section_4_2_4_nothing_leaks_by_the_referrer(server: Server) -> None:
    answer = server.answer(server.request())
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_section_4_14_2_refresh_tokens_rotate_and_reuse_ends_the_family(server: Server) -> None:
    first = server.tokens()["refresh_token"]
    second = server.refresh(first).json()["refresh_token"]
    third = server.refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert server.refresh(first).json()["error"] == "invalid_grant"
    assert server.refresh(third).json()["error"] == "invalid_grant"


def test_section_2_1_1_a_code_that_comes_twice_ends_what_it_gave(server: Server) -> None:
    """RFC 6749 section 4.1.2."""
    code = server.code()
    token = server.exchange(code).json()["access_token"]
    assert server.exchange(code).json()["error"] == "invalid_grant"
    assert server.resources(token).status_code == 401


def test_section_4_4_2_answers_name_their_issuer(server: Server) -> None:
    assert redirected(server.answer(server.request()))["iss"] == server.url
