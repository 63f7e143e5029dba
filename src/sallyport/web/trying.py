"""Try an integration: consent, a token and a call, in the integrator's own browser.

Where secrets go: the code comes in the address, as OAuth has it, and is moved at once into a cookie
that scripts cannot read and that ends with the next page, so no page's address or history holds it;
without the verifier, which only this session can derive, it is worth nothing. The client's secret
and the token live in a variable of `try.js` alone: they are sent to the token endpoint and to the
called route, and written nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import trying
from sallyport.control.records import explain
from sallyport.control.trying import Trial
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import cookies, csrf, flash
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.headers import guard
from sallyport.web.visit import Visit, see_other

_PLACE = ("site", "app_id", "environment")
_KEPT_S = 600
_LONGEST = 1_000


async def show(visit: Visit) -> Response:
    """What will be asked for, and the callback that it takes."""
    query = visit.request.query_params
    return await _start_page(visit, tuple(query.get(name, "") for name in _PLACE))


async def register_callback(visit: Visit, form: FormData) -> Response:
    place = tuple(one(form, name) for name in _PLACE)
    try:
        await trying.add_callback(visit.services, visit.actor, await _trial(visit, place))
    except Refused as refused:
        return await _start_page(visit, place, problem=refused)
    address = f"/console/integrations/{visit.path('client_id')}/try"
    query = urlencode(dict(zip(_PLACE, place, strict=True)))
    return flash.say(visit, f"{address}?{query}", "The callback is registered.")


async def begin(visit: Visit, form: FormData) -> Response:
    """Go and ask for consent; what was begun is remembered in a cookie of this session."""
    place = tuple(one(form, name) for name in _PLACE)
    try:
        trial = await _trial(visit, place)
        begun = "~".join((secrets.token_urlsafe(16), visit.path("client_id"), *place))
        address = trying.authorization_address(
            visit.services, trial, _state(visit, begun), _challenge(_verifier(visit, begun))
        )
    except Refused as refused:
        return await _start_page(visit, place, problem=refused)
    response = see_other(address)
    cookies.set_cookie(response, cookies.TRY, begun, secure=visit.secure, max_age=_KEPT_S)
    return response


async def come_back(visit: Visit) -> Response:
    """The callback: first take the code out of the address, then show what it is good for."""
    query = visit.request.query_params
    if query.get("code") or query.get("error"):
        return _take(visit)
    begun, code, mark = _kept(visit)
    if not code or not csrf.same(mark, _seal(visit, begun, code)):
        raise Refused(
            Reason.NOT_FOUND,
            "Nothing is being tried in this browser.",
            fix="Open an integration in the console and press Try it.",
        )
    _nonce, client_id, *place = begun.split("~")
    trial = await trying.show_trial(visit.services, visit.actor, client_id, *place)
    connected = trial.offered.installations
    response = draw(
        visit,
        "console/try.html",
        trial=trial,
        code=code,
        verifier=_verifier(visit, begun),
        bases=[(each.base_urls[0], each.installed.installation.product) for each in connected],
        routes=list(dict.fromkeys(route for each in connected for route in each.routes)),
    )
    cookies.clear_cookie(response, cookies.TRY, secure=visit.secure)
    return response


async def show_gates(visit: Visit) -> Response:
    """The gates of one call, as a piece of the page that made it; 204 while it is not kept yet."""
    try:
        explained = await explain(visit.services, visit.actor, visit.path("decision_id"))
    except Refused:
        return guard(Response(status_code=204))
    return draw(visit, "console/try_gates.html", explained=explained)


def _take(visit: Visit) -> Response:
    query = visit.request.query_params
    begun, _, _ = _kept(visit)
    if not begun or not csrf.same(query.get("state", ""), _state(visit, begun)):
        raise Refused(
            Reason.CROSS_SITE,
            "This answer does not belong to anything that you began in this browser.",
            fix="Open an integration in the console and press Try it.",
        )
    if not query.get("code"):
        _nonce, client_id, *place = begun.split("~")
        address = f"/console/integrations/{client_id}/try"
        said = query.get("error_description") or query.get("error", "")
        back = f"{address}?{urlencode(dict(zip(_PLACE, place, strict=True)))}"
        response = flash.say(visit, back, f"No code came back: {said}")
        cookies.clear_cookie(response, cookies.TRY, secure=visit.secure)
        return response
    code = query["code"][:200]
    response = see_other(trying.CALLBACK_PATH)
    value = "|".join((begun, code, _seal(visit, begun, code)))
    cookies.set_cookie(response, cookies.TRY, value, secure=visit.secure, max_age=_KEPT_S)
    return response


async def _start_page(
    visit: Visit, place: tuple[str, ...], *, problem: Refused | None = None
) -> Response:
    return draw(
        visit,
        "console/try_start.html",
        status=problem.reason.status if problem is not None else 200,
        trial=await _trial(visit, place),
        fields=list(zip(_PLACE, place, strict=True)),
        problem=problem,
    )


async def _trial(visit: Visit, place: tuple[str, ...]) -> Trial:
    site, app_id, environment = place
    client_id = visit.path("client_id")
    return await trying.show_trial(
        visit.services, visit.actor, client_id, site, app_id, environment
    )


def _kept(visit: Visit) -> tuple[str, str, str]:
    """What was begun; with the code and its seal once it has come. Empty where nothing is."""
    value = cookies.read_cookie(visit.request, cookies.TRY, secure=visit.secure, longest=_LONGEST)
    begun, _, rest = (value or "").partition("|")
    code, _, mark = rest.partition("|")
    return (begun, code, mark) if begun.count("~") == 4 else ("", "", "")


def _state(visit: Visit, begun: str) -> str:
    return visit.form_token(f"try-state\0{begun}")


def _verifier(visit: Visit, begun: str) -> str:
    """64 characters that only this session can derive again (RFC 7636 section 4.1)."""
    return visit.form_token(f"try-verifier\0{begun}")


def _seal(visit: Visit, begun: str, code: str) -> str:
    return visit.form_token(f"try-code\0{begun}\0{code}")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
