"""What is no success, as problem documents: refusals, bad input, unknown paths, our own faults."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused

_log = logging.getLogger(__name__)

_REASONS = {
    401: Reason.NOT_SIGNED_IN,
    404: Reason.NOT_FOUND,
    405: Reason.METHOD_NOT_ALLOWED,
    413: Reason.PAYLOAD_TOO_LARGE,
}
_FIELDS_SHOWN = 50


def answer(refused: Refused, *, trace_id: str | None = None) -> Response:
    """The refusal as a response."""
    return Response(
        problem.encode(refused, trace_id=trace_id),
        refused.reason.status,
        headers={"Cache-Control": "no-store", **refused.headers},
        media_type=problem.MEDIA_TYPE,
    )


async def on_refused(_request: Request, error: Exception) -> Response:
    """A use-case refused."""
    assert isinstance(error, Refused)
    if error.operator is not None:
        _log.warning("refused: %s: %s", error.reason.code, error.operator)
    return answer(error)


async def on_bad_input(_request: Request, error: Exception) -> Response:
    """The request does not have the shape that the endpoint takes; every field is named."""
    assert isinstance(error, RequestValidationError)
    found = [{"field": _field(each), "message": each["msg"]} for each in error.errors()]
    fields = found[:_FIELDS_SHOWN]
    listed = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
    return answer(
        Refused(
            Reason.INVALID_INPUT,
            f"{listed}.",
            fix="Correct these fields; /api/v1/openapi.json says what each endpoint takes.",
            members={"fields": fields},
        )
    )


async def on_http_error(request: Request, error: Exception) -> Response:
    """The framework refused: no such path, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)
    reason = _REASONS.get(error.status_code, Reason.REQUEST_MALFORMED)
    details = {
        Reason.NOT_FOUND: f"The control API has nothing at {request.url.path}.",
        Reason.METHOD_NOT_ALLOWED: f"{request.method} is not possible at {request.url.path}.",
    }
    fix = {
        Reason.PAYLOAD_TOO_LARGE: "Send less.",
        Reason.REQUEST_MALFORMED: "Send a JSON object in UTF-8.",
    }.get(reason, "See /api/v1/openapi.json for what there is.")
    return answer(
        Refused(
            reason, details.get(reason, str(error.detail)), fix=fix, headers=error.headers or {}
        )
    )


class Unexpected:
    """Turns our own fault into a problem document whose trace id finds the log line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            trace_id = uuid.uuid4().hex
            _log.exception("unexpected, trace %s: %s %s", trace_id, scope["method"], scope["path"])
            if started:
                raise
            refused = Refused(
                Reason.INTERNAL,
                f"The platform failed here; the operator finds it in the log by trace {trace_id}.",
                fix="Try again; if it stays, give the trace id to the operator.",
            )
            await answer(refused, trace_id=trace_id)(scope, receive, send)


def _field(error: Mapping[str, Any]) -> str:
    """`("body", "link", "scopes", 0)` -> `link.scopes[0]`."""
    if error["type"] == "json_invalid":
        return "body"
    where, *path = error["loc"]
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return text.lstrip(".") or str(where)


HANDLERS: dict[int | type[Exception], Any] = {
    Refused: on_refused,
    RequestValidationError: on_bad_input,
    HTTPException: on_http_error,
}
