"""What app code may put into a request to another server: methods, headers, how often."""

from __future__ import annotations

import re
from typing import Final

from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.sending import without_connection
from sallyport.capabilities.shape import Ask, Headers
from sallyport.runtime.running import RunningCall

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
MOST_A_MINUTE: Final = 100
MOST_HEADERS: Final = 100

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Length, host and encoding are the platform's; what speaks of a client's address would be a lie.
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-real-ip",
    }
)


def check_method(method: str) -> str:
    """The method, upper case. Raises `CapabilityRefused`."""
    if method.upper() not in METHODS:
        raise CapabilityRefused(
            405, "METHOD_NOT_ALLOWED", f"The method {method[:20]!r} is not sent"
        )
    return method.upper()


def sent_headers(ask: Ask, dropped: frozenset[str]) -> Headers:
    """The headers of a request as they leave, without `dropped`. Raises `CapabilityRefused`."""
    if len(ask.headers) > MOST_HEADERS:
        raise CapabilityRefused(400, "INVALID_REQUEST", f"There are over {MOST_HEADERS} headers")
    for name, value in ask.headers:
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise CapabilityRefused(
                400, "INVALID_REQUEST", f"The header {name[:64]!r} is not a header"
            )
    # Bodies pass as they are, so the other server must not pack its answer.
    kept = without_connection(ask.headers, _OURS | dropped)
    return (*kept, ("accept-encoding", "identity"))


def spend(running: RunningCall, what: str) -> None:
    """Count one request of the call's allowance for this minute. Raises `CapabilityRefused`."""
    name = f"{what}:{running.minute}"
    running.used[name] += 1
    if running.used[name] > MOST_A_MINUTE:
        raise CapabilityRefused(
            429,
            "RATE_LIMIT_EXCEEDED",
            f"An invocation may send {MOST_A_MINUTE} requests a minute",
        )
