"""Where a person is signed in, and their password."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import accounts, sessions
from sallyport.vocab.errors import Refused
from sallyport.web import flash
from sallyport.web.drawing import draw, plural
from sallyport.web.errors import shown_headers
from sallyport.web.forms import one
from sallyport.web.visit import Visit

HOME = "/account/sessions"


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def end(visit: Visit, form: FormData) -> Response:
    """End one session; the visit's own too, which then asks to sign in."""
    await sessions.end_my_session(visit.services, visit.actor, visit.path("session_id"))
    return flash.say(visit, HOME, "The session has ended.")


async def end_others(visit: Visit, form: FormData) -> Response:
    """End all sessions but this one."""
    ended = await sessions.end_my_other_sessions(visit.services, visit.actor, visit.session)
    return flash.say(visit, HOME, f"{plural(ended, 'other session')} ended.")


async def change_password(visit: Visit, form: FormData) -> Response:
    """A new password; every other session ends."""
    try:
        await accounts.change_password(
            visit.services,
            visit.actor,
            one(form, "current"),
            one(form, "new"),
            cookie=visit.session,
        )
    except Refused as refused:
        return await _page(visit, refused)
    return flash.say(visit, HOME, "Your password has changed, and all other sessions have ended.")


async def _page(visit: Visit, problem: Refused | None = None) -> Response:
    provider = visit.services.provider
    return draw(
        visit,
        "account_sessions.html",
        status=200 if problem is None else problem.reason.status,
        headers=None if problem is None else shown_headers(problem),
        sessions=await sessions.my_sessions(visit.services, visit.actor),
        this=visit.session_id,
        provider=None if provider is None else provider.config,
        linked=provider is not None and await sessions.is_linked(visit.services, visit.actor),
        problem=problem,
    )
