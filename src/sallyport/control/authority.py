"""Who may do what on the platform. Each rule raises `Refused`, or returns.

What an actor has no part in is told as not found, so that ids of other tenants cannot be probed.
"""

from __future__ import annotations

from sallyport.model.directory import Actor, SiteRole
from sallyport.model.registry import PRODUCTION, AppRole
from sallyport.store import authority
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused


async def require_operator(reader: Reader, actor: Actor) -> None:
    """Only an operator provisions customers."""
    if actor.account_id is None:
        return
    if not await authority.is_active_operator(reader, actor.account_id):
        raise Refused(
            Reason.NOT_ALLOWED,
            "Only an operator of this platform may do this.",
            fix="Ask the operator to do it or to make your account an operator.",
        )


async def require_member(reader: Reader, actor: Actor, site_id: str) -> SiteRole:
    """Only members of a site see it; returns the role."""
    if actor.account_id is None:
        return SiteRole.ADMIN
    role = await authority.site_role(reader, actor.account_id, site_id)
    if role is None:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such site among yours.",
            fix="Check the site; to join it, ask its admin or the operator.",
        )
    return role


async def require_site_admin(reader: Reader, actor: Actor, site_id: str) -> None:
    """Only a site admin, or an admin of the site's organization, contract section (g)."""
    if await require_member(reader, actor, site_id) is not SiteRole.ADMIN:
        raise Refused(
            Reason.NOT_ALLOWED,
            "Only an admin of this site or of its organization may do this.",
            fix="Ask an admin of the site.",
        )


async def require_org_admin(reader: Reader, actor: Actor, organization_id: str) -> None:
    """Only admins of an organization look over all of its sites."""
    if actor.account_id is None:
        return
    if not await authority.is_org_admin(reader, actor.account_id, organization_id):
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such organization among those that you administer.",
            fix="Check the organization's id; the operator makes admins of organizations.",
        )


async def require_app_part(reader: Reader, actor: Actor, app_id: str) -> AppRole:
    """Only those who build an app see its inside; returns the role."""
    if actor.account_id is None:
        return AppRole.ADMIN
    role = await authority.app_role(reader, actor.account_id, app_id)
    if role is None:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such app among yours.",
            fix="Check app.id in the manifest, or ask an admin of the app to add you.",
        )
    return role


async def require_app_admin(reader: Reader, actor: Actor, app_id: str) -> None:
    """Only app admins, contract section (c.2)."""
    if await require_app_part(reader, actor, app_id) is not AppRole.ADMIN:
        raise Refused(
            Reason.NOT_ALLOWED,
            "Only an admin of this app may do this.",
            fix="Ask an admin of the app.",
        )


async def require_app_work(reader: Reader, actor: Actor, app_id: str, environment_key: str) -> None:
    """App admins work on every environment, contributors on all but production."""
    role = await require_app_part(reader, actor, app_id)
    if role is not AppRole.ADMIN and environment_key == PRODUCTION:
        raise Refused(
            Reason.NOT_ALLOWED,
            "Contributors work on every environment of an app except production.",
            fix="Ask an admin of the app to do it.",
        )
