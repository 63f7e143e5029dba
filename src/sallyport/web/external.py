"""Sign-in at the operator's identity provider: the two addresses that a browser comes to."""

from __future__ import annotations

from starlette.responses import Response

from sallyport.control import external
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import cookies, csrf
from sallyport.web.sessions import HOME
from sallyport.web.signin import START, begin_session
from sallyport.web.visit import SIGN_IN, Visit, local_path, see_other

DEPART = "/login/provider"
LINK = "/account/link"
_LIFE_S = external.LIFE // 1000
_LONGEST_COOKIE = 4000


async def depart(visit: Visit) -> Response:
    """Off to the provider; from one of our own pages or by hand, not from another site's."""
    query = visit.request.query_params
    if visit.request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return see_other(SIGN_IN)
    onward = local_path(query.get("next"), START)
    departure = await external.depart(
        visit.services, onward, visit.address, anew=bool(query.get("again"))
    )
    return _sent_off(visit, departure)


async def link(visit: Visit) -> Response:
    """Off to the provider, so that who it is there may sign in as this account from then on.

    What this changes is the account's, so it must be one of our pages that sends here.
    """
    token = visit.request.query_params.get(csrf.TOKEN_FIELD)
    csrf.require_form_token(visit.session, LINK, token)
    departure = await external.depart(
        visit.services, HOME, visit.address, link=visit.require_account(), anew=True
    )
    return _sent_off(visit, departure)


async def arrive(visit: Visit) -> Response:
    """Back from the provider, with a code or without."""
    parameters: dict[str, str] = {}
    for name, value in visit.request.query_params.multi_items():
        if name in parameters or len(value) > external.LONGEST_PARAMETER:
            raise Refused(
                Reason.REQUEST_MALFORMED, f"The answer has a {name[:50]} that is too long or twice."
            )
        parameters[name] = value
    arrival = await external.arrive(
        visit.services,
        cookies.read_cookie(
            visit.request, cookies.DEPARTED, secure=visit.secure, longest=_LONGEST_COOKIE
        ),
        parameters,
        visit.address,
        signed_in=visit.account,
        replaces=visit.session,
        agent=visit.agent,
    )
    response = begin_session(visit, arrival.session, local_path(arrival.return_to, START))
    cookies.clear_cookie(response, cookies.DEPARTED, secure=visit.secure)
    return response


def _sent_off(visit: Visit, departure: external.Departure) -> Response:
    response = see_other(departure.address)
    response.headers["Referrer-Policy"] = "no-referrer"
    cookies.set_cookie(
        response, cookies.DEPARTED, departure.cookie, secure=visit.secure, max_age=_LIFE_S
    )
    return response
