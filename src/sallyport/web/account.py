"""A person's own page: consents that they gave, API tokens that they made."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import accounts
from sallyport.control.grants import end_my_grant, my_grants, scopes_in_words
from sallyport.vocab.errors import Refused
from sallyport.web import flash
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.visit import Visit, see_other

HOME = "/account"
GRANTS = "/account/grants"


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def show_grants(visit: Visit) -> Response:
    grants = await my_grants(visit.services, visit.actor)
    words = await scopes_in_words(visit.services, grants)
    return draw(visit, "account_grants.html", grants=grants, words=words)


async def end_grant(visit: Visit, form: FormData) -> Response:
    """End a consent: the next call with one of its tokens is refused."""
    await end_my_grant(visit.services, visit.actor, visit.path("grant_id"))
    return flash.say(visit, GRANTS, "The consent has ended. The next call with it is refused.")


async def create_api_token(visit: Visit, form: FormData) -> Response:
    """Make a token, and answer with the page: the only time that it is shown."""
    try:
        made = await accounts.create_api_token(visit.services, visit.actor, one(form, "label"))
    except Refused as refused:
        return await _page(visit, status=refused.reason.status, problem=refused)
    return await _page(visit, status=201, new_token=made.secret)


async def revoke_api_token(visit: Visit, form: FormData) -> Response:
    await accounts.revoke_api_token(visit.services, visit.actor, visit.path("token_id"))
    return see_other(HOME)


async def _page(
    visit: Visit,
    *,
    status: int = 200,
    new_token: str | None = None,
    problem: Refused | None = None,
) -> Response:
    return draw(
        visit,
        "account.html",
        status=status,
        tokens=await accounts.my_api_tokens(visit.services, visit.actor),
        new_token=new_token,
        problem=problem,
    )
