"""Who the caller is, as the function is told: set by the gateway, never taken from the client.

A header that could be mistaken for ours in any spelling is dropped (invariant: the function never
sees the bearer token or client-supplied identity headers), contract section (e.3).
"""

from __future__ import annotations

from collections.abc import Iterable

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


def function_headers(
    headers: Iterable[tuple[str, str]],
    account_id: str | None,
    traceparent: TraceParent | None = None,
) -> dict[str, list[str]]:
    """The request headers that the function gets: name in lower case -> values.

    `account_id` is None where nobody signed in. `traceparent` takes the place of the caller's.
    """
    headers = tuple(headers)
    nominated = {
        token.strip().lower()
        for name, value in headers
        if name == "connection"
        for token in value.split(",")
    }
    kept: dict[str, list[str]] = {}
    for name, value in headers:
        # Some servers and frameworks read x_user as x-user; so do we, to drop it.
        spelled = name.replace("_", "-")
        if (
            spelled in _DROPPED
            or spelled in nominated
            or name in nominated
            or spelled.startswith(_IDENTITY_PREFIXES)
        ):
            continue
        kept.setdefault(name, []).append(value)
    if account_id is not None:
        kept[ACCOUNT_HEADER] = [account_id]
    if traceparent is not None:
        kept["traceparent"] = [str(traceparent)]
    return kept
