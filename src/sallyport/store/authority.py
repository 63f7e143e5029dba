"""Who is what: the roles that authority is decided from."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from sallyport.model.directory import SiteRole
from sallyport.model.registry import AppRole
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.store.prepared import Prepared

_SITE_ROLE = Prepared(
    select(schema.membership.c.role, schema.organization_admin.c.account_id)
    .select_from(
        schema.account.join(schema.site, schema.site.c.id == bindparam("site_id"))
        .outerjoin(
            schema.membership,
            (schema.membership.c.account_id == schema.account.c.id)
            & (schema.membership.c.site_id == schema.site.c.id),
        )
        .outerjoin(
            schema.organization_admin,
            (schema.organization_admin.c.account_id == schema.account.c.id)
            & (schema.organization_admin.c.organization_id == schema.site.c.organization_id),
        )
    )
    .where(schema.account.c.id == bindparam("account_id"), schema.account.c.active)
)


async def site_role(reader: Reader, account_id: str, site_id: str) -> SiteRole | None:
    """What an active account is on a site; an admin of its organization is an admin of the site."""
    row = await reader.one(_SITE_ROLE, account_id=account_id, site_id=site_id)
    if row is None:
        return None
    role, org_admin = row
    if org_admin is not None:
        return SiteRole.ADMIN
    return SiteRole(role) if role is not None else None


async def app_role(reader: Reader, account_id: str, app_id: str) -> AppRole | None:
    """What an active account is on an app."""
    role = await reader.scalar(
        select(schema.app_role.c.role)
        .join(schema.account, schema.account.c.id == schema.app_role.c.account_id)
        .where(
            schema.app_role.c.account_id == account_id,
            schema.app_role.c.app_id == app_id,
            schema.account.c.active,
        )
    )
    return AppRole(role) if role is not None else None


async def is_active_operator(reader: Reader, account_id: str) -> bool:
    """Whether the account is an operator and active now."""
    found = await reader.scalar(
        select(schema.account.c.id).where(
            schema.account.c.id == account_id,
            schema.account.c.operator,
            schema.account.c.active,
        )
    )
    return found is not None


async def is_org_admin(reader: Reader, account_id: str, organization_id: str) -> bool:
    """Whether an account that is active now administers an organization."""
    admin = schema.organization_admin.c
    found = await reader.scalar(
        select(schema.account.c.id)
        .join(schema.organization_admin, admin.account_id == schema.account.c.id)
        .where(
            admin.account_id == account_id,
            admin.organization_id == organization_id,
            schema.account.c.active,
        )
    )
    return found is not None
