"""Ids and secrets: how they are made, what they look like, how they are hashed.

Ids are random UUIDs; those of calls and of token families begin with the time. Opaque secrets are
`<prefix>_<43 characters>_<6 check characters>`, so that secret scanners can recognise them and a
mistyped one is refused without a lookup; docs/reference/secrets.md has the format.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import struct
import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET = re.compile(r"(sp[a-z]{2})_([A-Za-z0-9_-]{43})_([0-9A-Za-z]{6})", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)

CLIENT_SECRET = "spcs"
REFRESH_TOKEN = "sprt"
AUTHORIZATION_CODE = "spac"
PUSHED_REQUEST = "sppr"
OPENED_REQUEST = "spor"
API_TOKEN = "spat"
SESSION = "spss"
SETUP_LINK = "spsu"
WEB_TRIGGER = "spwt"

APP_ARI_PREFIX = "ari:cloud:ecosystem::app/"


_RANDOM_BYTES = 4096
_48_BITS = (1 << 48) - 1
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class _Hex:
    """Random text of 32 hex digits, drawn from the system many at a time."""

    def __init__(self) -> None:
        self._drawn: list[str] = []
        # A fork must not draw what its parent draws.
        os.register_at_fork(after_in_child=self._drawn.clear)

    def next(self) -> str:
        try:
            return self._drawn.pop()
        except IndexError:
            text = os.urandom(_RANDOM_BYTES).hex()
            self._drawn.extend(text[at : at + 32] for at in range(0, len(text), 32))
            return self._drawn.pop()


_hex = _Hex()


class RandomNumbers:
    """Random numbers of 32 bits that nobody can guess, drawn from the system many at a time."""

    def __init__(self) -> None:
        self._drawn: list[int] = []
        # A fork must not draw what its parent draws.
        os.register_at_fork(after_in_child=self._drawn.clear)

    def next(self) -> int:
        try:
            return self._drawn.pop()
        except IndexError:
            self._drawn.extend(struct.unpack("!1024I", os.urandom(4096)))
            return self._drawn.pop()


random_numbers = RandomNumbers()


def new_id() -> str:
    """A random UUID (version 4), lower case with hyphens."""
    drawn = _hex.next()
    variant = _VARIANTS[drawn[16]]
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"


def new_ordered_id(now: int) -> str:
    """A UUID (version 7) that begins with the time, in milliseconds, and is random behind it.

    Rows that come in the order of their ids cost an index a fraction of those that come anywhere.
    """
    drawn = _hex.next()
    at = f"{now & _48_BITS:012x}"
    return f"{at[:8]}-{at[8:]}-7{drawn[13:16]}-{_VARIANTS[drawn[16]]}{drawn[17:20]}-{drawn[20:]}"


def new_trace_id(now: int) -> str:
    """A trace id that begins with the time, in milliseconds; the rest of it is random.

    The rightmost 56 bits are (W3C Trace Context, level 2, section 3.2.2.3), and 24 before them.
    """
    return f"{now & _48_BITS:012x}{_hex.next()[12:]}"


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in the one form that Sallyport writes."""
    return _UUID.fullmatch(text) is not None


def new_secret(prefix: str) -> str:
    """An opaque secret of 256 random bits with a recognisable prefix and a checksum."""
    body = secrets.token_urlsafe(32)
    return f"{prefix}_{body}_{_checksum(prefix, body)}"


def is_well_formed(secret: str, prefix: str) -> bool:
    """Whether `secret` has this prefix and its own checksum. Says nothing of its validity."""
    found = _SECRET.fullmatch(secret)
    if found is None or found[1] != prefix:
        return False
    return found[3] == _checksum(found[1], found[2])


def digest(secret: str) -> str:
    """SHA-256 of a generated secret, in hex: how secrets of full entropy are stored and found."""
    return hashlib.sha256(secret.encode()).hexdigest()


def app_ari(app_id: str) -> str:
    """`ari:cloud:ecosystem::app/<app-id>`, contract section (a)."""
    return APP_ARI_PREFIX + app_id


def environment_ari(app_id: str, environment_id: str) -> str:
    """`ari:cloud:ecosystem::environment/<app-id>/<environment-id>`, contract section (a)."""
    return f"ari:cloud:ecosystem::environment/{app_id}/{environment_id}"


def installation_ari(installation_id: str) -> str:
    """`ari:cloud:ecosystem::installation/<installation-id>`, contract section (a)."""
    return f"ari:cloud:ecosystem::installation/{installation_id}"


def _checksum(prefix: str, body: str) -> str:
    value = zlib.crc32(f"{prefix}_{body}".encode())
    digits = []
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits.append(_ALPHABET[rest])
    return "".join(digits)
