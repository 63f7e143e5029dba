"""Response headers that an app may set: one rule for the worker's advice and the host's check.

Framing and hop-by-hop headers (RFC 9110 section 7.6.1, RFC 9112 section 6) belong to the gateway.
Cookies would be set on the platform's own origin, where its consoles sign people in.

This file imports the standard library alone: the scripts in `python/` load it by path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOST_HEADERS: Final = 100
LARGEST_HEADERS: Final = 32 * 1024
REFUSED: Final = frozenset(
    {
        "clear-site-data",
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "set-cookie2",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# How a worker tells which of its static outputs a web trigger chose.
OUTPUT_KEY: Final = "x-sallyport-output"
BODILESS: Final = frozenset({204, 205, 304})

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def check_headers(headers: Sequence[tuple[str, str]]) -> str | None:
    """What is wrong with response headers (lower-case names), or None."""
    if len(headers) > MOST_HEADERS:
        return f"there are {len(headers)} headers; {MOST_HEADERS} are allowed"
    if sum(len(name) + len(value) for name, value in headers) > LARGEST_HEADERS:
        return "the headers are larger than 32 KB"
    for name, value in headers:
        if _NAME.fullmatch(name) is None:
            return f"a header's name is not valid: {name[:64]!r}"
        if name in REFUSED:
            return f"the header {name!r} may not be set by an app"
        if _VALUE.fullmatch(value) is None:
            return f"the value of the header {name!r} holds characters that are not allowed"
    return None
