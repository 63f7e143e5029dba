"""No spelling of an identity header survives (T-HDR)."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.identity import ACCOUNT_HEADER, function_headers

ACCOUNT = "5f2b0c1e-0000-4000-8000-000000000001"


def respell(name: str, choices: list[bool]) -> str:
    return "".join("_" if swap and c == "-" else c for c, swap in zip(name, choices, strict=False))


@given(
    st.sampled_from(
        [
            "authorization",
            "cookie",
            "x-forwarded-for",
            "x-forwarded-anything",
            "x-real-ip",
            "x-original-url",
            "x-http-method-override",
            "x-slauth-user-context-account-id",
            "x-slauth-principal",
            "x-sallyport-account",
            "proxy-authorization",
            "forwarded",
        ]
    ),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.text(string.ascii_letters, max_size=10),
)
def test_credentials_and_identity_are_dropped_however_spelled(
    name: str, choices: list[bool], value: str
) -> None:
    kept = function_headers([(respell(name, choices), value), ("x-mine", "1")], ACCOUNT)
    assert kept == {"x-mine": ["1"], ACCOUNT_HEADER: [ACCOUNT]}


def test_what_connection_names_is_hop_by_hop_and_cannot_remove_ours() -> None:
    headers = [
        ("connection", "keep-alive, X-Mine"),
        ("connection", ACCOUNT_HEADER),
        ("x-mine", "1"),
        ("x_mine", "2"),
        ("accept", "a"),
        ("accept", "b"),
    ]
    assert function_headers(headers, ACCOUNT) == {
        "accept": ["a", "b"],
        ACCOUNT_HEADER: [ACCOUNT],
    }
