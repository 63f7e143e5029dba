"""Processes, workers, waiting calls, revocation lag, limits; and the signing keys."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.keys import list_keys, retire_key, rotate_keys
from sallyport.control.platform_state import platform_state
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.drawing import draw
from sallyport.web.flash import say
from sallyport.web.forms import one
from sallyport.web.visit import Visit

HOME = "/operator"
TABS = [
    ("Platform", HOME),
    ("Customers", f"{HOME}/customers"),
    ("Accounts", f"{HOME}/accounts"),
]


async def show_platform(visit: Visit) -> Response:
    return await _page(visit)


async def rotate(visit: Visit, form: FormData) -> Response:
    """Make the next signing key; it signs after a lead in which others learn of it, or at once."""
    try:
        made = await rotate_keys(visit.services, visit.actor, at_once=one(form, "now") == "yes")
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, refused)
    return say(visit, f"{HOME}#keys", f"The key {made.kid} is made.")


async def ask_to_retire(visit: Visit) -> Response:
    kid = visit.path("kid")
    keys = await list_keys(visit.services, visit.actor)
    if kid not in {each.kid for each in keys}:
        raise Refused(Reason.NOT_FOUND, "There is no such live key.", fix="It may be retired.")
    return confirm.ask(
        visit,
        "Retire this signing key?",
        "Retire",
        [
            f"Every access token that {kid} signed is refused from then on.",
            "Clients with a refresh token get a new one signed by another key; all others have "
            "to ask anew.",
            "Retire a key that others may know. To change keys in time, make the next one instead.",
        ],
        action=f"{HOME}/keys/{kid}/retire",
        back=HOME,
        trail=[("Platform", HOME), (kid, None)],
    )


async def retire(visit: Visit, form: FormData) -> Response:
    try:
        await retire_key(visit.services, visit.actor, visit.path("kid"))
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, refused)
    return say(visit, HOME, "Retired: no token that it signed opens anything.")


async def _page(visit: Visit, problem: Refused | None = None) -> Response:
    state = await platform_state(visit.services, visit.actor)
    return draw(
        visit,
        "operator/platform.html",
        status=problem.reason.status if problem is not None else 200,
        tabs=TABS,
        state=state,
        keys=await list_keys(visit.services, visit.actor),
        now=visit.services.store.clock.now(),
        problem=problem,
    )
