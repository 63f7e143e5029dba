"""Who the caller is, as the function is told: set by the gateway, never taken from the client.

A header that could be mistaken for ours in any spelling is dropped (invariant: the function never
sees the bearer token or client-supplied identity headers), contract section (e.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sallyport.vocab.trace import TraceParent

ACCOUNT_HEADER = "x-slauth-user-context-account-id"

_IDENTITY_PREFIXES = ("x-slauth-", "x-sallyport-", "x-forwarded-")
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "dpop"})
_ROUTING = frozenset(
    {
        "forwarded",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    }
)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DROPPED = _CREDENTIALS | _ROUTING | _HOP_BY_HOP


def may_pass(name: str) -> bool:
    """Whether a header of this name, in lower case, is neither ours nor the connection's."""
    return _may_pass_again(name) if len(name) <= _LONGEST_KEPT else _may_pass(name)


def _may_pass(name: str) -> bool:
    # Some servers and frameworks read x_user as x-user; so do we, to drop it.
    spelled = name.replace("_", "-")
    return spelled not in _DROPPED and not spelled.startswith(_IDENTITY_PREFIXES)


# Names come again and again; what is kept of strange ones stays small.
_may_pass_again = lru_cache(maxsize=1024)(_may_pass)
_LONGEST_KEPT = 64


def function_headers(
    headers: Iterable[tuple[str, str]],
    account_id: str | None,
    traceparent: TraceParent | None = None,
) -> dict[str, list[str]]:
    """The request headers that the function gets: name in lower case -> values.

    `account_id` is None where nobody signed in. `traceparent` takes the place of the caller's.
    """
    headers = tuple(headers)
    kept: dict[str, list[str]] = {}
    connection: list[str] = []
    for name, value in headers:
        if may_pass(name):
            held = kept.get(name)
            if held is None:
                kept[name] = [value]
            else:
                held.append(value)
        elif name == "connection":
            connection.append(value)
    if connection:
        nominated = {token.strip().lower() for value in connection for token in value.split(",")}
        for name in [n for n in kept if n in nominated or n.replace("_", "-") in nominated]:
            del kept[name]
    if account_id is not None:
        kept[ACCOUNT_HEADER] = [account_id]
    if traceparent is not None:
        kept["traceparent"] = [str(traceparent)]
    return kept
