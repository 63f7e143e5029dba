"""The parts of a compact JWS (RFC 7515 section 7.1), read without leniency."""

from __future__ import annotations

import base64
import json
from typing import Any


def read_octets(part: str) -> bytes:
    """Base64url without padding, in the one spelling that there is of it. Raises `ValueError`."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode("ascii"):
        raise ValueError("not canonical base64url")
    return data


def write_octets(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def read_object(part: str) -> dict[str, Any]:
    """A JSON object in UTF-8 in which no member comes twice. Raises `ValueError`."""
    try:
        value = json.loads(
            read_octets(part).decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member comes twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)
