"""Secrets can be recognised by what the reference says of them.

Planted bugs that these tests were seen to fail on: the checksum compared nowhere; a prefix that
the reference does not list; another order of digits.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from sallyport.vocab import ids

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "secrets.md").read_text()
PREFIXES = re.findall(r"^\| `(sp[a-z]{2})` \|", PAGE, re.M)
PATTERN = re.compile(re.findall(r"^(\\b.*)$", PAGE, re.M)[0])
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


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
