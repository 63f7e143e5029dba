"""What stands behind a grant: the facts without which its tokens are nothing.

They are read by one statement: every token that is issued asks for them, in its own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select

from sallyport.model.access import ClientKind, IntegrationLink
from sallyport.model.redemption import Standing
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.store.grants import GRANT_COLUMNS, grant_of
from sallyport.store.lists import read_names
from sallyport.store.prepared import Prepared

_grant = schema.grant.c
_integration = schema.integration.c
_link = schema.integration_link.c
_member = schema.membership.c
_admin = schema.organization_admin.c
_account = schema.account.c


def prepare_standing(*which: ColumnElement[bool], others: Sequence[Any] = ()) -> Prepared:
    """The statement for the standing of one grant; `others` are columns to bring besides."""
    columns = (
        *GRANT_COLUMNS,
        _integration.revoked_at,
        _integration.kind,
        _integration.require_dpop,
        _link.scopes,
        _link.product_scopes,
        _link.optional_scopes,
        _account.active,
        _member.role,
        _admin.account_id,
    )
    return Prepared(
        select(*columns, *others)
        .select_from(
            schema.grant.join(schema.environment, schema.environment.c.id == _grant.environment_id)
            .join(schema.site, schema.site.c.id == _grant.site_id)
            .outerjoin(schema.integration, _integration.client_id == _grant.client_id)
            .outerjoin(
                schema.integration_link,
                (_link.client_id == _grant.client_id)
                & (_link.site_id == _grant.site_id)
                & (_link.environment_id == _grant.environment_id),
            )
            .outerjoin(schema.account, _account.id == _grant.account_id)
            .outerjoin(
                schema.membership,
                (_member.account_id == _grant.account_id) & (_member.site_id == _grant.site_id),
            )
            .outerjoin(
                schema.organization_admin,
                (_admin.account_id == _grant.account_id)
                & (_admin.organization_id == schema.site.c.organization_id),
            )
        )
        .where(*which),
        is_shared=True,
    )


_BY_GRANT = prepare_standing(_grant.id == bindparam("grant_id"))


async def standing_of(reader: Reader, grant_id: str) -> Standing | None:
    """Grant, integration, link and membership as they are now; None where there is no grant."""
    row = await reader.one(_BY_GRANT, grant_id=grant_id)
    return None if row is None else read_standing(row)[0]


@lru_cache(1024)
def read_standing(row: Sequence[Any]) -> tuple[Standing, Sequence[Any]]:
    """A row of `prepare_standing`: the standing, and the other columns."""
    grant = grant_of(row[:9])
    ended_at, kind, require_dpop, scopes, product_scopes, optional = row[9:15]
    active, role, org_admin = row[15:18]
    link = None
    if scopes is not None:
        link = IntegrationLink(
            grant.site_id,
            grant.app_id,
            grant.environment_id,
            read_names(scopes),
            read_names(product_scopes),
            read_names(optional),
        )
    standing = Standing(
        grant=grant,
        integration_alive=kind is not None and ended_at is None,
        link=link,
        # The admins of an organization are members of its sites; nobody is who is not active.
        member=bool(active) and (role is not None or org_admin is not None),
        public=kind == ClientKind.PUBLIC.value,
        require_dpop=bool(require_dpop),
    )
    return standing, row[18:]
