"""Grants: what accounts consented to; and the token families that live by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    func,
    insert,
    select,
    update,
)

from sallyport.model.access import Grant, TokenFamily
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.accounts import PERSON
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.lists import read_names, write_names
from sallyport.store.prepared import Prepared, prepared_insert
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_grant = schema.grant.c
_family = schema.token_family.c

_ADD_FAMILY = prepared_insert(
    schema.token_family,
    ("id", "grant_id", "scopes", "dpop_jkt", "resource", "created_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A live grant with the names that a person knows it by.

    `verified`: the operator vouches for the integration. `last_token_at` is when it last got a
    token by this grant, None where it never did.
    """

    grant: Grant
    integration_name: str
    account_email: str
    host: str
    app_name: str
    environment_key: str
    verified: bool
    last_token_at: int | None


GRANT_COLUMNS = (
    _grant.id,
    _grant.client_id,
    _grant.account_id,
    _grant.site_id,
    schema.environment.c.app_id,
    _grant.environment_id,
    _grant.scopes,
    _grant.created_at,
    _grant.revoked_at,
)
FAMILY_COLUMNS = (
    _family.id,
    _family.grant_id,
    _family.scopes,
    _family.created_at,
    _family.expires_at,
    _family.revoked_at,
    _family.dpop_jkt,
    _family.resource,
)

_GRANT = Prepared(
    select(*GRANT_COLUMNS)
    .join(schema.environment, schema.environment.c.id == _grant.environment_id)
    .where(_grant.id == bindparam("grant_id"))
)
_FAMILY = Prepared(select(*FAMILY_COLUMNS).where(_family.id == bindparam("family_id")))


async def grant_by_id(reader: Reader, grant_id: str) -> Grant | None:
    """The grant, revoked or not. Untrue after a change of `GRANT` (grant id)."""
    row = await reader.one(_GRANT, grant_id=grant_id)
    return None if row is None else grant_of(row)


async def family_by_id(reader: Reader, family_id: str) -> TokenFamily | None:
    """The token family, revoked or not. Untrue after a change of `FAMILY` (family id)."""
    row = await reader.one(_FAMILY, family_id=family_id)
    return None if row is None else family_of(row)


def grant_of(row: Sequence[Any]) -> Grant:
    """A grant from `GRANT_COLUMNS`."""
    grant_id, client_id, account_id, site_id, app_id, environment_id = row[:6]
    scopes, created_at, revoked_at = row[6:]
    return Grant(
        grant_id,
        client_id,
        account_id,
        site_id,
        app_id,
        environment_id,
        read_names(scopes),
        created_at,
        revoked_at,
    )


def family_of(row: Sequence[Any]) -> TokenFamily:
    """A token family from `FAMILY_COLUMNS`."""
    family_id, grant_id, scopes, *rest = row
    return TokenFamily(family_id, grant_id, read_names(scopes), *rest)


async def grants_of_account(reader: Reader, account_id: str) -> list[GrantLine]:
    """The live consents of an account, newest first."""
    return await _lines(reader, _grant.account_id == account_id)


async def grants_of_site(
    reader: Reader, site_id: str, environment_id: str | None = None
) -> list[GrantLine]:
    """The live consents on a site, for one app environment or for all, newest first."""
    if environment_id is None:
        return await _lines(reader, _grant.site_id == site_id)
    return await _lines(reader, _grant.site_id == site_id, _grant.environment_id == environment_id)


async def live_grants_of_client(reader: Reader, client_id: str) -> int:
    """How many live consents an integration has."""
    counted = select(func.count()).where(_grant.client_id == client_id, _grant.revoked_at.is_(None))
    return int((await reader.all(counted))[0][0])


async def consented_scopes(
    reader: Reader, client_id: str, account_id: str, site_id: str, environment_id: str
) -> frozenset[str]:
    """What the account has allowed the integration there and has not ended; nothing if nothing."""
    text = await reader.scalar(
        select(_grant.scopes).where(
            _grant.client_id == client_id,
            _grant.account_id == account_id,
            _grant.site_id == site_id,
            _grant.environment_id == environment_id,
            _grant.revoked_at.is_(None),
        )
    )
    return frozenset() if text is None else read_names(text)


async def add_to_grant(
    tx: Tx,
    client_id: str,
    account_id: str,
    site_id: str,
    environment_id: str,
    scopes: frozenset[str],
    declined: frozenset[str] = frozenset(),
) -> str:
    """Add scopes to the one live grant of client, account, site and environment; its id.

    `declined` are taken out of it, and so out of every token that lives by it.

    A revoked grant stays revoked: consent after it makes another. Callers hold the integration's
    row locked, so that two consents do not make two grants.
    """
    row = await tx.first(
        select_grants()
        .where(
            _grant.client_id == client_id,
            _grant.account_id == account_id,
            _grant.site_id == site_id,
            _grant.environment_id == environment_id,
            _grant.revoked_at.is_(None),
        )
        .with_for_update(of=schema.grant)
    )
    if row is not None:
        grant = read_grant(row)
        after = (grant.scopes | scopes) - declined
        if after != grant.scopes:
            await tx.run(
                update(schema.grant).where(_grant.id == grant.id).values(scopes=write_names(after))
            )
            tx.changed(Kind.GRANT, grant.id)
        return grant.id
    grant_id = new_id()
    await tx.run(
        insert(schema.grant).values(
            id=grant_id,
            client_id=client_id,
            account_id=account_id,
            site_id=site_id,
            environment_id=environment_id,
            scopes=write_names(scopes),
            created_at=tx.now,
            revoked_at=None,
        )
    )
    tx.changed(Kind.GRANT, grant_id)
    return grant_id


def add_family(
    tx: Tx,
    family_id: str,
    grant_id: str,
    scopes: frozenset[str],
    expires_at: int,
    *,
    dpop_jkt: str | None = None,
    resource: str | None = None,
) -> None:
    """The family of tokens that one code, or one service account's request, gives."""
    tx.add(
        _ADD_FAMILY,
        id=family_id,
        grant_id=grant_id,
        scopes=write_names(scopes),
        dpop_jkt=dpop_jkt,
        resource=resource,
        created_at=tx.now,
        expires_at=expires_at,
    )


async def end_grant(tx: Tx, actor: Actor, grant_id: str) -> bool:
    """End one consent and with it every token of it. False where it had ended."""
    return await end_grants(tx, actor, _grant.id == grant_id) == 1


async def end_grants(tx: Tx, actor: Actor, *which: ColumnElement[bool], reason: str = "") -> int:
    """End the live grants that match, audited one by one with the reason; how many.

    Their families need no mark of their own: a token is nothing without its grant.
    """
    ended = await tx.run(
        update(schema.grant)
        .where(_grant.revoked_at.is_(None), *which)
        .values(revoked_at=tx.now)
        .returning(
            _grant.id,
            _grant.client_id,
            _grant.account_id,
            _grant.site_id,
            select(schema.environment.c.app_id)
            .where(schema.environment.c.id == _grant.environment_id)
            .scalar_subquery()
            .label("app_id"),
        )
    )
    rows = ended.all()
    for row in rows:
        tx.changed(Kind.GRANT, row.id)
        tx.audit(
            Event.GRANT_REVOKED,
            actor,
            site_id=row.site_id,
            app_id=row.app_id,
            subject=row.id,
            client_id=row.client_id,
            consented_by=row.account_id,
            reason=reason,
        )
    return len(rows)


async def end_family(tx: Tx, actor: Actor, family_id: str, event: Event, reason: str = "") -> bool:
    """End the tokens that descend from one code, and record why. False where they had ended."""
    ended = await tx.run(
        update(schema.token_family)
        .where(_family.id == family_id, _family.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    if ended.rowcount == 0:
        return False
    grant = await tx.first(
        select_grants()
        .join(schema.token_family, _family.grant_id == _grant.id)
        .where(_family.id == family_id)
    )
    tx.changed(Kind.FAMILY, family_id)
    tx.audit(
        event,
        actor,
        site_id=grant.site_id if grant is not None else None,
        app_id=grant.app_id if grant is not None else None,
        subject=family_id,
        client_id=grant.client_id if grant is not None else None,
        reason=reason,
    )
    return True


def select_grants() -> Select[Any]:
    """The rows that `read_grant` reads."""
    return select(schema.grant, schema.environment.c.app_id).join(
        schema.environment, schema.environment.c.id == _grant.environment_id
    )


def read_grant(row: Row[Any]) -> Grant:
    """A grant from a row of `select_grants`."""
    return grant_of([row._mapping[each] for each in GRANT_COLUMNS])


async def _lines(reader: Reader, *which: ColumnElement[bool]) -> list[GrantLine]:
    rows: Sequence[Row[Any]] = await reader.all(
        select(
            schema.grant,
            schema.environment.c.app_id,
            schema.environment.c.key.label("environment_key"),
            schema.app.c.name.label("app_name"),
            schema.site.c.host,
            schema.account.c.email,
            schema.integration.c.name.label("integration_name"),
            schema.integration.c.verified_at,
            _last_token().label("last_token_at"),
        )
        .join(schema.environment, schema.environment.c.id == _grant.environment_id)
        .join(schema.app, schema.app.c.id == schema.environment.c.app_id)
        .join(schema.site, schema.site.c.id == _grant.site_id)
        .join(schema.account, schema.account.c.id == _grant.account_id)
        .join(schema.integration, schema.integration.c.client_id == _grant.client_id)
        .where(_grant.revoked_at.is_(None), schema.account.c.kind == PERSON, *which)
        .order_by(_grant.created_at.desc(), _grant.id)
    )
    return [
        GrantLine(
            read_grant(row),
            row.integration_name,
            row.email,
            row.host,
            row.app_name,
            row.environment_key,
            row.verified_at is not None,
            row.last_token_at,
        )
        for row in rows
    ]


def _last_token() -> ScalarSelect[Any]:
    """When a grant last gave a token: at consent, or by the newest refresh token."""
    refresh = schema.refresh_token.c
    newest = func.coalesce(func.max(refresh.created_at), func.max(_family.created_at))
    return (
        select(newest)
        .select_from(schema.token_family)
        .outerjoin(schema.refresh_token, refresh.family_id == _family.id)
        .where(_family.grant_id == _grant.id)
        .correlate(schema.grant)
        .scalar_subquery()
    )
