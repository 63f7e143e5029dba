"""Calls from pages of other origins (the Fetch standard's CORS protocol), as the manifest declares.

Off unless a route declares `cors`. A preflight is answered before any credentials are asked for, as
browsers need it, and runs nothing. Cookies play no part: pages send a bearer token.
"""

from __future__ import annotations

from typing import Final

from sallyport.gateway.call import Call, Headers
from sallyport.manifest.table import RouteTable
from sallyport.model.manifest import Cors
from sallyport.vocab.errors import Reason, Refused

ANY_ORIGIN: Final = "*"
MAX_AGE_S: Final = 600

# What callers of any route may send, and what their pages may read of any answer.
SENT: Final = (
    "accept",
    "authorization",
    "content-type",
    "dpop",
    "idempotency-key",
    "traceparent",
    "tracestate",
)
SHOWN: Final = (
    "allow",
    "atl-request-id",
    "atl-traceid",
    "dpop-nonce",
    "idempotency-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-failure-category",
)


class Preflight(Exception):
    """A preflight is answered with these headers, and the call goes no further."""

    def __init__(self, headers: Headers) -> None:
        self.headers = headers


def answer_preflight(call: Call, table: RouteTable, segments: tuple[str, ...]) -> None:
    """Raises `Preflight` where the call is one that a route allows; else returns or `Refused`.

    Returns for whatever is no preflight, or is for a path without such a route.
    """
    if call.method != "OPTIONS":
        return
    origin = _one(call, "origin")
    method = _one(call, "access-control-request-method")
    if origin is None or method is None:
        return
    found = table.find(method, segments)
    cors = found.route.cors if found is not None else None
    if cors is None:
        return
    if not is_allowed(cors, origin):
        raise Refused(
            Reason.CORS_REFUSED,
            f"The route takes no calls from pages of {origin[:255]!r}.",
            fix="Have the app's developer add the origin to cors.origins of the route.",
        )
    asked = [
        name.strip().lower()
        for value in call.header_values("access-control-request-headers")
        for name in value.split(",")
        if name.strip()
    ]
    taken = SENT + tuple(name.lower() for name in cors.headers)
    strange = [name for name in asked if name not in taken]
    if strange:
        raise Refused(
            Reason.CORS_REFUSED,
            f"Pages may not send the header {strange[0][:255]!r} to the route.",
            fix="Leave it out, or have the app's developer add it to cors.headers of the route.",
        )
    raise Preflight(
        (
            ("access-control-allow-origin", _shown_origin(cors, origin)),
            ("access-control-allow-methods", method),
            ("access-control-allow-headers", ", ".join(taken)),
            ("access-control-max-age", str(MAX_AGE_S)),
            ("cache-control", "no-store"),
            (
                "vary",
                "origin, access-control-request-method, access-control-request-headers",
            ),
        )
    )


def cors_headers(call: Call) -> Headers:
    """What an answer tells the page that asked; nothing where the route declares no `cors`."""
    cors = call.found.route.cors if call.found is not None else None
    if cors is None:
        return ()
    origin = _one(call, "origin")
    if origin is None or not is_allowed(cors, origin):
        return (("vary", "origin"),)
    return (
        ("access-control-allow-origin", _shown_origin(cors, origin)),
        ("access-control-expose-headers", ", ".join(SHOWN + cors.expose_headers)),
        ("vary", "origin"),
    )


def is_allowed(cors: Cors, origin: str) -> bool:
    """Whether pages of an origin may call. Origins match exactly; `null` is none."""
    return origin in cors.origins or (ANY_ORIGIN in cors.origins and origin != "null")


def _shown_origin(cors: Cors, origin: str) -> str:
    return ANY_ORIGIN if ANY_ORIGIN in cors.origins else origin


def _one(call: Call, name: str) -> str | None:
    values = call.header_values(name)
    return values[0] if len(values) == 1 else None
