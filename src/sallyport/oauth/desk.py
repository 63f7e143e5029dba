"""A desk: an endpoint that clients call by themselves, answered alike over ASGI and without."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import INVALID_REQUEST, OAuthError, error_reply
from sallyport.oauth.parameters import LARGEST_BODY, require_form
from sallyport.vocab.message import Asked, Reply

Answer = Callable[[OAuth, Asked, bytes | None], Coroutine[Any, Any, Reply]]


class Desk:
    """First `refused_by_head`, then `answer` with the body; a body has up to `largest` bytes."""

    largest = LARGEST_BODY

    def __init__(self, oauth: OAuth, answer: Answer) -> None:
        self._oauth = oauth
        self._answer = answer

    def refused_by_head(self, asked: Asked) -> Reply | None:
        """The refusal of a request whose body need not come. It counts from here on."""
        try:
            self._oauth.limits.charge_address(asked.address, self._oauth.store.clock.now())
            require_form(asked)
        except OAuthError as error:
            return error_reply(error)
        return None

    def answer(self, asked: Asked, body: bytes | None) -> Coroutine[Any, Any, Reply]:
        """The reply; `body` is None where it is larger than `largest`."""
        return self._answer(self._oauth, asked, body)

    async def over_asgi(self, request: Request) -> Response:
        """The same for who is asked by Starlette."""
        asked = asked_of(request)
        reply = self.refused_by_head(asked)
        if reply is None:
            try:
                reply = await self.answer(asked, await self._body(request))
            except ClientDisconnect:
                reply = error_reply(OAuthError(INVALID_REQUEST, "The body broke off."))
        return Response(reply.body, reply.status, dict(reply.headers))

    async def _body(self, request: Request) -> bytes | None:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.largest:
                return None
        return bytes(body)


def asked_of(request: Request) -> Asked:
    """The head of a request, without what only Starlette knows."""
    scope = request.scope
    return Asked(
        scope["method"],
        scope["path"],
        scope["query_string"],
        scope["headers"],
        request.client.host if request.client is not None else "",
    )
