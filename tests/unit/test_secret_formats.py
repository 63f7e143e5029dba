"""Secrets can be recognised by what the reference says of them, and a mistyped one costs nothing.

Planted bugs that these tests were seen to fail on: the checksum compared nowhere; a prefix that
the reference does not list; another order of digits.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from pathlib import Path
from typing import Any, cast

import pytest

from sallyport.model.redemption import CodeOffer, Denial, RefreshOffer
from sallyport.oauth import OAuth
from sallyport.oauth.client_auth import authenticate_client
from sallyport.oauth.errors import OAuthError
from sallyport.oauth.parameters import Parameters
from sallyport.tokens import api_tokens, sessions
from sallyport.tokens.codes import redeem
from sallyport.tokens.policy import TokenPolicy
from sallyport.tokens.refresh import rotate
from sallyport.vocab import ids
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.message import Asked

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "secrets.md").read_text()
PREFIXES = re.findall(r"^\| `(sp[a-z]{2})` \|", PAGE, re.M)
PATTERN = re.compile(re.findall(r"^(\\b.*)$", PAGE, re.M)[0])
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class NoStore:
    """A database that must not be asked."""

    clock = ManualClock()

    async def read(self, *_: Any) -> Any:
        raise AssertionError("the database was asked")

    write = read


def test_the_reference_lists_every_prefix() -> None:
    made = {
        value
        for name, value in vars(ids).items()
        if name.isupper() and isinstance(value, str) and re.fullmatch("sp[a-z]{2}", value)
    }
    assert set(PREFIXES) == made
    assert len(PREFIXES) == len(made)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_secret_is_found_in_text_and_its_checksum_fits(prefix: str) -> None:
    for _ in range(50):
        secret = ids.new_secret(prefix)
        assert ids.is_well_formed(secret, prefix)
        assert PATTERN.findall(f"key={secret}\n({secret})") == [secret, secret]
        body, _, check = secret.rpartition("_")
        crc = zlib.crc32(body.encode())
        assert sum(DIGITS.index(digit) * 62**at for at, digit in enumerate(check)) == crc


def test_other_text_is_not_found() -> None:
    for text in (
        "sprt_short_000000",
        "xsprt_" + "a" * 43 + "_000000",
        "spzz_" + "a" * 43 + "_000000",
    ):
        assert PATTERN.search(text) is None


def mistyped(prefix: str) -> str:
    secret = ids.new_secret(prefix)
    return secret[:9] + ("b" if secret[9] == "a" else "a") + secret[10:]


def test_a_mistyped_secret_is_refused_without_a_lookup() -> None:
    policy, store = TokenPolicy(), cast(Any, NoStore())

    async def present() -> None:
        code = mistyped(ids.AUTHORIZATION_CODE)
        offer = CodeOffer(ids.new_id(), None, None)
        assert isinstance(await redeem(store, policy, code, offer, None), Denial)
        token = mistyped(ids.REFRESH_TOKEN)
        refresh = RefreshOffer(ids.new_id(), None)
        assert isinstance(await rotate(store, policy, token, refresh, None), Denial)
        assert await api_tokens.account_of(store, mistyped(ids.API_TOKEN)) is None
        assert await sessions.account_of(store, mistyped(ids.SESSION)) is None
        fields = [
            ("client_id", ids.new_id()),
            ("client_secret", mistyped(ids.CLIENT_SECRET)),
        ]
        parameters = Parameters(fields, frozenset({"client_id", "client_secret"}))
        asked = Asked("POST", "/oauth/token", b"", [], "")
        oauth = OAuth(store, cast(Any, None), "https://x.test", cast(Any, None), str)
        with pytest.raises(OAuthError, match="not right"):
            await authenticate_client(oauth, asked, parameters)

    asyncio.run(present())
