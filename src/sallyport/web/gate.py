"""Until the platform has an operator nothing works but the way to make one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sallyport.control.services import Services
from sallyport.control.setup import is_set_up
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.errors import bare_refusal

_OPEN = frozenset({"/setup", "/api/v1/setup", "/livez", "/readyz"})
_OPEN_FOLDER = "/static/"


class NotSetUpGate:
    """Answers 503 `not_set_up` for everything else; once there is an operator, does nothing."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._set_up = False

    @property
    def is_lifted(self) -> bool:
        """Whether there is an operator, as far as the gate has had to ask."""
        return self._set_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._set_up or scope["type"] == "lifespan" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        # Having had an operator is for ever, so only the answer "not yet" is asked for again.
        self._set_up = await is_set_up(self._services)
        if self._set_up:
            await self._app(scope, receive, send)
            return
        refused = Refused(
            Reason.NOT_SET_UP,
            "Nothing works here until the first operator account is made.",
            fix="Open the one-time link that the platform printed when it started.",
            headers={"Cache-Control": "no-store"},
        )
        await bare_refusal(Request(scope, receive), refused)(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path is there before the platform has an operator."""
    return path in _OPEN or path.startswith(_OPEN_FOLDER)
