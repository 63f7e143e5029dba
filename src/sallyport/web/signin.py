"""Sign-in, sign-out and the first operator's account."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import setup as platform_setup
from sallyport.control import signin
from sallyport.vocab.errors import Refused
from sallyport.web import cookies
from sallyport.web.drawing import draw
from sallyport.web.errors import shown_headers
from sallyport.web.forms import one
from sallyport.web.visit import SIGN_IN, Visit, local_path, see_other

START = "/console"


async def start(visit: Visit) -> Response:
    return see_other(START if visit.account is not None else SIGN_IN)


async def show_sign_in(visit: Visit) -> Response:
    onward = local_path(visit.request.query_params.get("next"), START)
    if visit.account is not None and not visit.request.query_params.get("again"):
        return see_other(onward)
    return _page(visit, onward, again=bool(visit.request.query_params.get("again")))


async def sign_in(visit: Visit, form: FormData) -> Response:
    """A new session at each sign-in; one that the browser brought along is ended."""
    onward = local_path(one(form, "next"), START)
    email = one(form, "email").strip()
    try:
        _, cookie = await signin.sign_in(
            visit.services,
            email,
            one(form, "password"),
            visit.address,
            replaces=visit.session,
            agent=visit.agent,
        )
    except Refused as refused:
        return _page(visit, onward, email=email, problem=refused)
    return begin_session(visit, cookie, onward)


def _page(
    visit: Visit,
    onward: str,
    *,
    email: str = "",
    problem: Refused | None = None,
    again: bool = False,
) -> Response:
    provider = visit.services.provider
    return draw(
        visit,
        "login.html",
        status=200 if problem is None else problem.reason.status,
        headers=None if problem is None else shown_headers(problem),
        next=onward,
        email=email,
        problem=problem,
        provider=None if provider is None else provider.config,
        again=again,
    )


async def sign_out(visit: Visit, form: FormData) -> Response:
    if visit.session is not None:
        await signin.sign_out(visit.services, visit.session, visit.address)
    response = see_other(local_path(one(form, "next"), SIGN_IN))
    cookies.clear_cookie(response, cookies.SESSION, secure=visit.secure)
    return response


async def show_setup(visit: Visit) -> Response:
    token = visit.request.query_params.get("token", "")
    return draw(visit, "setup.html", token=token, name="", email="", problem=None)


async def set_up(visit: Visit, form: FormData) -> Response:
    token, email, name = one(form, "token"), one(form, "email").strip(), one(form, "name")
    password = one(form, "password")
    try:
        await platform_setup.claim(visit.services, token, email, name, password, visit.address)
        _, cookie = await signin.sign_in(
            visit.services,
            email,
            password,
            visit.address,
            replaces=visit.session,
            agent=visit.agent,
        )
    except Refused as refused:
        return draw(
            visit,
            "setup.html",
            status=refused.reason.status,
            headers=shown_headers(refused),
            token=token,
            name=name,
            email=email,
            problem=refused,
        )
    return begin_session(visit, cookie, START)


def begin_session(visit: Visit, cookie: str, onward: str) -> Response:
    """Go on as who has just signed in."""
    response = see_other(onward)
    cookies.set_cookie(response, cookies.SESSION, cookie, secure=visit.secure)
    return response
