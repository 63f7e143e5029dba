"""What every request passes on its way in, and every answer on its way out."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sallyport.vocab.errors import Reason, Refused
from sallyport.web.api.refusals import answer

_OWN = frozenset({"same-origin", "none"})
_NEVER_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Edges:
    """Refuses odd addresses and other sites' pages; marks answers as never to be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_NEVER_KEPT)
            await send(message)

        try:
            require_plain_address(scope)
            require_no_other_site(scope)
        except Refused as refused:
            await answer(refused)(scope, receive, marked)
            return
        await self._app(scope, receive, marked)


def require_plain_address(scope: Scope) -> None:
    """No control character in path or query; PostgreSQL would fail on a NUL. Raises `Refused`."""
    path: str = scope["path"]
    query: bytes = scope["query_string"]
    if any(ord(character) < 0x20 or character == "\x7f" for character in path) or b"%00" in query:
        raise Refused(
            Reason.REQUEST_MALFORMED,
            "The address holds a control character.",
            fix="Send an address without control characters.",
        )


def require_no_other_site(scope: Scope) -> None:
    """A browser that knows Basic credentials sends them for any page: only ours may use them.

    Programs send no `Sec-Fetch-Site` (Fetch Metadata). Raises `Refused`.
    """
    if Headers(scope=scope).get("sec-fetch-site", "none") not in _OWN:
        raise Refused(
            Reason.CROSS_SITE,
            "The control API takes no requests from pages of other sites.",
            fix="Call it from a program, or from this platform's own pages.",
        )
