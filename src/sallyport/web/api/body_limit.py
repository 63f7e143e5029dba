"""How large a request body may be; counted while it is read, so that a lie costs nothing."""

from __future__ import annotations

from math import inf

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1024 * 1024
LIMIT = MIB
DEPLOYMENT_LIMIT = 26 * MIB


def limit_of(path: str) -> int:
    """The most bytes that a body sent to this path may have."""
    return DEPLOYMENT_LIMIT if path.endswith("/deployments") else LIMIT


class BodyLimit:
    """Refuses a body that is announced or turns out to be too large, with status 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(scope["path"])
        announced = _announced(scope)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            # An HTTPException raised here passes through whatever reads the body.
            if announced > limit:
                raise _too_large(limit)
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)


def _announced(scope: Scope) -> float:
    """What Content-Length says; more than any limit where it is no sensible number."""
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isdecimal() and len(text) <= 15 else inf


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"At most {limit // MIB} MiB are allowed here.")
