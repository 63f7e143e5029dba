"""Keys, values, times to live: what the store takes, contract section (i)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sallyport.capabilities.refused import CapabilityRefused
from sallyport.vocab.clock import DAY, HOUR, MINUTE, SECOND

LONGEST_KEY: Final = 500
LARGEST_VALUE: Final = 240 * 1024
DEEPEST_VALUE: Final = 31
LONGEST_TTL: Final = 365 * DAY

_UNITS = {"SECONDS": SECOND, "MINUTES": MINUTE, "HOURS": HOUR, "DAYS": DAY}
# ECMAScript's \s, which the contract's expression means.
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_KEY_CHARACTERS = re.compile(rf"[a-zA-Z0-9:._{_SPACE}#-]*")
_ONLY_SPACE = re.compile(rf"[{_SPACE}]*")


def refused(code: str, message: str, status: int = 400) -> CapabilityRefused:
    """A refusal with one of the store's codes."""
    return CapabilityRefused(status, code, message)


def check_key(key: str) -> str:
    """The key, if it is one. Raises `CapabilityRefused`."""
    if not key:
        raise refused("KEY_TOO_SHORT", "A key has at least one character")
    if len(key) > LONGEST_KEY:
        raise refused("KEY_TOO_LONG", f"A key has at most {LONGEST_KEY} characters")
    if not is_key_prefix(key) or _ONLY_SPACE.fullmatch(key) is not None:
        raise refused(
            "INVALID_KEY",
            "A key holds letters, digits, spaces and : . _ - # only, and not spaces alone",
        )
    return key


def is_key_prefix(text: str) -> bool:
    """Whether a key can begin with this text."""
    return len(text) <= LONGEST_KEY and _KEY_CHARACTERS.fullmatch(text) is not None


def check_value(raw: bytes) -> str:
    """The JSON text of a value within the limits. Raises `CapabilityRefused`.

    The depth of a value is the number of arrays and objects around its innermost scalar.
    """
    if len(raw) > LARGEST_VALUE:
        raise refused("MAX_SIZE", "A value is at most 240 KiB of JSON", 413)
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The request around it was readable: what is wrong is a number, a text or the depth.
        raise refused("INVALID_VALUE", "The value is not JSON that can be stored") from None
    if _depth(value) > DEEPEST_VALUE:
        raise refused("MAX_DEPTH", f"A value is nested at most {DEEPEST_VALUE} deep")
    return bytes(raw).decode()


def duration_of(value: float, unit: str) -> int:
    """A time to live in milliseconds. Raises `CapabilityRefused`."""
    if unit not in _UNITS:
        raise refused("INVALID_TTL", f"The unit of a ttl is one of {', '.join(_UNITS)}")
    if not 0 < value * _UNITS[unit] <= LONGEST_TTL:
        raise refused("INVALID_TTL", "A ttl is more than nothing and at most one year")
    return max(1, int(value * _UNITS[unit]))


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        if depth > DEEPEST_VALUE:
            break
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
