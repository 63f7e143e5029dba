"""Members of a site and their roles."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.call_figures import Parties, last_day
from sallyport.control.members import Member, end_site_member, set_site_member, site_members
from sallyport.model.directory import SiteRole
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.admin.frame import acting, admins_frame, draw_site
from sallyport.web.drawing import isolated, plural
from sallyport.web.flash import say
from sallyport.web.forms import one
from sallyport.web.visit import Visit, see_other


async def show_members(visit: Visit) -> Response:
    return await _page(visit)


async def set_role(visit: Visit, form: FormData) -> Response:
    """Add an account by email, or give a member another role."""
    account, role = one(form, "account").strip(), one(form, "role")
    if role not in set(SiteRole):
        raise Refused(Reason.INVALID_INPUT, "The role is member or admin.")
    site = visit.path("site")
    try:
        made = await set_site_member(visit.services, visit.actor, site, account, SiteRole(role))
    except Refused as refused:
        return await _refused(visit, refused, account, role)
    # Who takes the own role away may not see this page any more.
    if made.account.id == visit.actor.account_id and made.role is not SiteRole.ADMIN:
        return see_other(f"/admin/sites/{site}")
    return say(visit, f"/admin/sites/{site}/members", f"{made.account.name} is {_part(made)} now.")


async def ask_to_remove(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    member = await _member(visit)
    address, person = f"{frame.address}/members", member.account
    day = await last_day(visit.services, visit.actor, frame.site.id, Parties(account_id=person.id))
    return confirm.ask(
        visit,
        f"Remove {isolated(person.name)} from {isolated(frame.site.name)}?",
        "Remove",
        [
            f"Calls that integrations make for {person.email} on {frame.site.host} are refused "
            "from then on.",
            f"{plural(day.calls, 'call')} came for this person in the last day.",
            "The account itself stays. Added again, the person's consents open again.",
        ],
        action=f"{address}/{person.id}/remove",
        back=address,
        trail=frame.trail(("Members", address), (person.name, None)),
        reason=True,
    )


async def remove(visit: Visit, form: FormData) -> Response:
    site, account = visit.path("site"), visit.path("account")
    try:
        await end_site_member(visit.services, acting(visit, form), site, account)
    except Refused as refused:
        return await _refused(visit, refused, "", "member")
    if account == visit.actor.account_id:
        return see_other("/admin")
    return say(visit, f"/admin/sites/{site}/members", "Removed.")


async def _member(visit: Visit) -> Member:
    found = await site_members(visit.services, visit.actor, visit.path("site"))
    for each in found.members:
        if each.account.id == visit.path("account"):
            return each
    raise Refused(Reason.NOT_FOUND, "The account is no member of this site.")


async def _refused(visit: Visit, refused: Refused, account: str, role: str) -> Response:
    """The page again, for its admins; strangers get the refusal and nothing else."""
    await admins_frame(visit)
    if "field" not in refused.members and refused.reason is Reason.NOT_FOUND:
        refused.members["field"] = "account"
    return await _page(visit, account, role, refused)


async def _page(
    visit: Visit, account: str = "", role: str = "member", problem: Refused | None = None
) -> Response:
    frame = await admins_frame(visit)
    return draw_site(
        visit,
        frame,
        "members.html",
        tab="/members",
        found=await site_members(visit.services, visit.actor, frame.site.id),
        account_typed=account,
        role=role,
        problem=problem,
    )


def _part(member: Member) -> str:
    return "an admin" if member.role is SiteRole.ADMIN else "a member"
