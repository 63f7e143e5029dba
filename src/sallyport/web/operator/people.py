"""Accounts: made, activated, made operators, by operators."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import accounts
from sallyport.model.directory import Account
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.drawing import draw, isolated
from sallyport.web.flash import say
from sallyport.web.forms import one
from sallyport.web.operator.platform import HOME, TABS
from sallyport.web.visit import Visit

ADDRESS = f"{HOME}/accounts"
_ACTIVE = {"activate": True}
_OPERATOR = {"make-operator": True, "end-operator": False}


async def show_accounts(visit: Visit) -> Response:
    return await _page(visit)


async def create(visit: Visit, form: FormData) -> Response:
    """Make an account, and answer with its password: the only time that it is shown."""
    email, name = one(form, "email").strip(), one(form, "name")
    operator = one(form, "operator") == "yes"
    try:
        made = await accounts.create_account(
            visit.services, visit.actor, email, name, operator=operator
        )
    except Refused as refused:
        return await _page(visit, email=email, name=name, operator=operator, problem=refused)
    return await _page(visit, made=made.account, password=made.password)


async def change(visit: Visit, form: FormData) -> Response:
    wanted = one(form, "change")
    if wanted not in _ACTIVE and wanted not in _OPERATOR:
        raise Refused(Reason.INVALID_INPUT, "There is no such change of an account.")
    try:
        changed = await accounts.change_account(
            visit.services,
            visit.actor,
            visit.path("account"),
            active=_ACTIVE.get(wanted),
            operator=_OPERATOR.get(wanted),
        )
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, problem=refused)
    return say(visit, ADDRESS, f"{changed.email} is changed.")


async def ask_to_deactivate(visit: Visit) -> Response:
    person = await _account(visit)
    return confirm.ask(
        visit,
        f"Deactivate {isolated(person.name)}?",
        "Deactivate",
        [
            f"{person.email} is signed out everywhere and cannot sign in.",
            "Calls that integrations make for this person are refused, on every site.",
            "Its API tokens end for good; all else comes back when the account is activated.",
        ],
        action=f"{ADDRESS}/{person.id}/deactivate",
        back=ADDRESS,
        trail=[("Platform", HOME), ("Accounts", ADDRESS), (person.name, None)],
    )


async def deactivate(visit: Visit, form: FormData) -> Response:
    try:
        changed = await accounts.change_account(
            visit.services, visit.actor, visit.path("account"), active=False
        )
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, problem=refused)
    return say(visit, ADDRESS, f"{changed.email} is inactive: signed out, and calls are refused.")


async def _account(visit: Visit) -> Account:
    for each in await accounts.list_accounts(visit.services, visit.actor):
        if each.id == visit.path("account"):
            return each
    raise Refused(Reason.NOT_FOUND, "There is no such account.")


async def _page(
    visit: Visit,
    *,
    email: str = "",
    name: str = "",
    operator: bool = False,
    made: Account | None = None,
    password: str | None = None,
    problem: Refused | None = None,
) -> Response:
    found = await accounts.list_accounts(visit.services, visit.actor)
    status = 201 if made is not None else 200
    return draw(
        visit,
        "operator/accounts.html",
        status=problem.reason.status if problem is not None else status,
        tabs=TABS,
        accounts=found,
        email=email,
        name=name,
        operator=operator,
        made=made,
        password=password,
        problem=problem,
    )
