"""Members of a site, for its admins: `/admin/sites/{site}/members`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from sallyport.control import members
from sallyport.control.members import Member
from sallyport.model.directory import SiteRole
from sallyport.web.api import shapes
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/admin/sites/{site}/members", tags=["members"])


class Part(Body):
    role: Literal["member", "admin"]


@router.get("")
async def list_members(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Who belongs to the site, and who as an admin of its organization."""
    found = await members.site_members(services, actor, site)
    return {
        "items": [_item(each) for each in found.members],
        "organization_admins": [shapes.person(each) for each in found.organization_admins],
    }


@router.put("/{account}")
async def set_member(
    site: str, account: str, body: Part, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Make an account, by id or email, a member or an admin of the site."""
    role = SiteRole(body.role)
    return _item(await members.set_site_member(services, actor, site, account, role))


@router.delete("/{account}", status_code=204)
async def end_member(site: str, account: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take an account off the site; its calls there are refused from now on."""
    await members.end_site_member(services, actor, site, account)


def _item(member: Member) -> dict[str, Any]:
    return {**shapes.person(member.account), "role": member.role.value}
