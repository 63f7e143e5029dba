"""Refusals as pages: the one place that turns `Refused` into HTML."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id
from sallyport.vocab.message import Asked, Reply
from sallyport.web.drawing import draw, draw_alone
from sallyport.web.visit import Visit, local_path, to_sign_in

log = logging.getLogger("sallyport.web")
Handler = Callable[[Request, Any], Awaitable[Response]]


def refusal_page(visit: Visit, refused: Refused) -> Response:
    """The page for a refusal; where only sign-in lacks, sign-in instead."""
    request = visit.request
    if refused.reason is Reason.NOT_SIGNED_IN:
        return to_sign_in(_where_one_was(request))
    return draw(
        visit,
        "problem.html",
        status=refused.reason.status,
        headers=shown_headers(refused),
        **_texts(refused, None),
    )


def _where_one_was(request: Request) -> str:
    """The page that was asked for; of a form, the page of this platform that held it."""
    if request.method in ("GET", "HEAD"):
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    held = urlsplit(request.headers.get("referer", ""))
    if held.netloc.lower() != request.headers.get("host", "").lower():
        return "/"
    return local_path(held.path + (f"?{held.query}" if held.query else ""), "/")


def bare_refusal(request: Request, refused: Refused, trace_id: str | None = None) -> Response:
    """The refusal without asking who visits: HTML for a browser, else a problem document."""
    if wants_page(request):
        return draw_alone(
            "problem.html",
            status=refused.reason.status,
            headers=shown_headers(refused),
            **_texts(refused, trace_id),
        )
    return Response(
        problem.encode(refused, trace_id=trace_id),
        status_code=refused.reason.status,
        media_type=problem.MEDIA_TYPE,
        headers=refused.headers,
    )


def shown_headers(refused: Refused) -> dict[str, str]:
    """Its headers without the challenge, at which browsers would ask for a password themselves."""
    return {
        name: value for name, value in refused.headers.items() if name.lower() != "www-authenticate"
    }


def wants_page(request: Request) -> bool:
    """Whether a person looks: browsers name text/html when they open a page, programs do not."""
    return "text/html" in request.headers.get("accept", "")


def exception_handlers() -> dict[Any, Handler]:
    """What the outer application does with refusals, unknown addresses and failures."""
    return {Refused: _on_refused, HTTPException: not_found_page, Exception: _on_failure}


def failed_reply(asked: Asked, error: Exception) -> Reply:
    """What the outer application answers where an endpoint raises, for who asks without it."""
    told = (error,) if isinstance(error, Refused) else failure(error)
    response = bare_refusal(Request({"type": "http", "headers": asked.headers}), *told)
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in response.raw_headers
        if name != b"content-length"
    ]
    return Reply(response.status_code, tuple(headers), bytes(response.body))


def failure(error: BaseException) -> tuple[Refused, str]:
    """What the caller is told of a failure of ours, and the trace id that finds it in the log."""
    trace_id = new_id().replace("-", "")
    log.error("a page failed", exc_info=error, extra={"trace_id": trace_id})
    return Refused(
        Reason.INTERNAL,
        "The fault is on this side; nothing that you sent was wrong.",
        fix="Try again. If it stays, give the operator the trace id.",
    ), trace_id


async def _on_refused(request: Request, refused: Refused) -> Response:
    return bare_refusal(request, refused)


async def not_found_page(request: Request, error: HTTPException) -> Response:
    """The answer where no route fits the address, or none takes the method."""
    if error.status_code == 405:
        refused = Refused(
            Reason.METHOD_NOT_ALLOWED,
            f"This address does not take {request.method}.",
            headers=error.headers,
        )
    else:
        refused = Refused(
            Reason.NOT_FOUND,
            "There is nothing at this address.",
            fix="Check the address, or begin at the start page.",
        )
    return bare_refusal(request, refused)


async def _on_failure(request: Request, error: Exception) -> Response:
    return bare_refusal(request, *failure(error))


def _texts(refused: Refused, trace_id: str | None) -> dict[str, Any]:
    return {
        "title": refused.reason.title,
        "detail": refused.detail,
        "fix": refused.fix,
        "reference": f"trace {trace_id}" if trace_id else None,
        "again": None,
    }
