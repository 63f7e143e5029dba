"""The one form in which a request path is taken; everything else is refused, nothing repaired.

RFC 3986 sections 3.3 and 6.2.2: upper-case hex, unreserved characters never encoded, no dot
segments. Beyond that, bytes that some parser down the road could read as a separator are refused,
encoded or not: `/`, `\\`, `;`, control characters, and a second layer of percent-encoding.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

LONGEST_REQUEST_PATH = 8_192

_PLAIN = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)+", re.ASCII)
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SEPARATORS = {"/": "a slash", "\\": "a backslash", ";": "a semicolon"}


def canonical_segments(raw_path: str) -> tuple[str, ...]:
    """The decoded segments of a path that is still percent-encoded and has no query.

    `/` alone has no segments. Raises ValueError, with the reason, unless the path is canonical.
    """
    if len(raw_path) > LONGEST_REQUEST_PATH:
        raise ValueError(f"the path is longer than {LONGEST_REQUEST_PATH} characters")
    if raw_path == "/":
        return ()
    if _PLAIN.fullmatch(raw_path) is not None:
        parts = raw_path[1:].split("/")
        if "." in parts or ".." in parts:
            raise ValueError("the path has a dot segment")
        return tuple(parts)
    if not raw_path.startswith("/"):
        raise ValueError("the path does not begin with a slash")
    if raw_path.endswith("/"):
        raise ValueError("the path ends in a slash")
    return tuple(_decoded(part) for part in raw_path[1:].split("/"))


def _decoded(segment: str) -> str:
    if not segment:
        raise ValueError("the path has an empty segment")
    if segment in {".", ".."}:
        raise ValueError("the path has a dot segment")
    if _SEGMENT.fullmatch(segment) is None:
        raise ValueError(_misplaced(segment))
    for found in _ESCAPE.finditer(segment):
        _check_escape(found[1])
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("an escape in the path is not UTF-8") from None
    for char in text:
        if char in _SEPARATORS:
            raise ValueError(f"the path has {_SEPARATORS[char]} in a segment")
        if ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F:
            raise ValueError("the path has a control character")
    if _ESCAPE.search(text) is not None:
        raise ValueError("the path is percent-encoded twice")
    return text


def _check_escape(digits: str) -> None:
    if digits != digits.upper():
        raise ValueError(f"the path has %{digits} where %{digits.upper()} is canonical")
    char = chr(int(digits, 16))
    if char in _UNRESERVED:
        raise ValueError(f"the path has %{digits} where {char} is canonical")


def _misplaced(segment: str) -> str:
    for char in segment:
        if char in _SEPARATORS:
            return f"the path has {_SEPARATORS[char]} in a segment"
        if ord(char) < 0x20 or ord(char) == 0x7F:
            return "the path has a control character"
        if char != "%" and _SEGMENT.fullmatch(char) is None:
            return f"the path has U+{ord(char):04X} unencoded"
    return "the path has a % that is not followed by two hex digits"
