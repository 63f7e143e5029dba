"""Integrations (OAuth clients): their links and their end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from sallyport.model.access import ClientKind, Integration, IntegrationLink
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.approvals import withdraw
from sallyport.store.changes import Kind
from sallyport.store.client_secrets import end_secrets, store_secret
from sallyport.store.engine import Reader, Tx
from sallyport.store.grants import end_grants
from sallyport.store.links import admit_link, audit_places, links_of, write_link
from sallyport.store.links import remove_link as remove_link
from sallyport.store.lists import read_names
from sallyport.store.locks import hold_integration, no_such_integration
from sallyport.store.prepared import Prepared
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_integration = schema.integration.c
_link = schema.integration_link.c


async def integration_by_client_id(reader: Reader, client_id: str) -> Integration | None:
    """The integration with its links, revoked or not. Untrue after `INTEGRATION` (client id)."""
    row = await reader.first(select(schema.integration).where(_integration.client_id == client_id))
    return None if row is None else (await _with_links(reader, [row]))[0]


_COLUMNS = (
    _integration.client_id,
    _integration.name,
    _integration.owner_id,
    _integration.redirect_uris,
    _integration.created_at,
    _integration.revoked_at,
    _integration.kind,
    _integration.forge_compatible,
    _integration.require_par,
    _integration.require_dpop,
    _integration.jwks,
    _integration.verified_at,
)
_LINKED = Prepared(
    select(
        *_COLUMNS,
        schema.environment.c.app_id,
        _link.scopes,
        _link.product_scopes,
        _link.optional_scopes,
    )
    .select_from(
        schema.integration.outerjoin(
            schema.integration_link.join(
                schema.environment, schema.environment.c.id == _link.environment_id
            ),
            (_link.client_id == _integration.client_id)
            & (_link.site_id == bindparam("site_id"))
            & (_link.environment_id == bindparam("environment_id")),
        )
    )
    .where(_integration.client_id == bindparam("client_id"))
)


async def integration_linked(
    reader: Reader, client_id: str, site_id: str, environment_id: str
) -> Integration | None:
    """The integration, revoked or not, with the one link that is to this app on this site, if any.

    It may have a link for each installation of its app, so all of them are not read for a call.
    Untrue after `INTEGRATION` (client id).
    """
    place = {"site_id": site_id, "environment_id": environment_id}
    row = await reader.one(_LINKED, client_id=client_id, **place)
    if row is None:
        return None
    app_id, *names = row[len(_COLUMNS) :]
    links: tuple[IntegrationLink, ...] = ()
    if app_id is not None:
        links = (IntegrationLink(site_id, app_id, environment_id, *map(read_names, names)),)
    return _read(row[: len(_COLUMNS)], links)


async def integrations_of_owner(reader: Reader, account_id: str) -> list[Integration]:
    """The live integrations that an account made, newest first; no service accounts."""
    rows = await reader.all(
        select(schema.integration)
        .where(
            _integration.owner_id == account_id,
            _integration.revoked_at.is_(None),
            _integration.kind != ClientKind.SERVICE.value,
        )
        .order_by(_integration.created_at.desc(), _integration.client_id)
    )
    return await _with_links(reader, rows)


async def integrations_of_site(reader: Reader, site_id: str) -> list[Integration]:
    """The live integrations that are linked to an app on a site; no service accounts."""
    linked = select(_link.client_id).where(_link.site_id == site_id)
    rows = await reader.all(
        select(schema.integration)
        .where(
            _integration.client_id.in_(linked),
            _integration.revoked_at.is_(None),
            _integration.kind != ClientKind.SERVICE.value,
        )
        .order_by(_integration.created_at.desc(), _integration.client_id)
    )
    return await _with_links(reader, rows)


async def create_integration(
    tx: Tx,
    actor: Actor,
    owner_id: str,
    name: str,
    redirect_uris: Sequence[str],
    link: IntegrationLink,
    secret_digest: str | None,
    *,
    kind: ClientKind = ClientKind.CONFIDENTIAL,
    forge_compatible: bool = False,
    require_par: bool = False,
    require_dpop: bool = False,
    note: str = "",
    asked: bool = False,
) -> Integration:
    """A new integration with its first link, and its first secret where one is given.

    Where the site requires approval the link waits, with `note` for its admins. That of a service
    account waits where it is `asked` for, and not where an admin of the site makes it himself.
    """
    client_id = new_id()
    await tx.run(
        insert(schema.integration).values(
            client_id=client_id,
            name=name,
            owner_id=owner_id,
            redirect_uris=json.dumps(list(redirect_uris)),
            kind=kind.value,
            forge_compatible=forge_compatible,
            require_par=require_par,
            require_dpop=require_dpop,
            created_at=tx.now,
            revoked_at=None,
        )
    )
    if secret_digest is not None:
        await store_secret(tx, client_id, secret_digest, tx.now)
    if kind is ClientKind.SERVICE and not asked:
        await write_link(tx, client_id, link)
    else:
        await admit_link(tx, actor, client_id, link, note, always=asked)
    tx.audit(
        Event.INTEGRATION_CREATED,
        actor,
        site_id=link.site_id,
        app_id=link.app_id,
        subject=client_id,
        name=name,
        kind=kind.value,
        forge_compatible=forge_compatible,
        require_par=require_par,
        require_dpop=require_dpop,
        environment_id=link.environment_id,
        scopes=sorted(link.scopes | link.product_scopes),
        optional_scopes=sorted(link.optional),
    )
    return await _required(tx, client_id)


async def set_verified(tx: Tx, actor: Actor, client_id: str, verified: bool) -> bool:
    """Have the operator vouch for a live integration, or no more; True where that changed it.

    Raises `Refused` NOT_FOUND.
    """
    before = await _required(tx, client_id)
    if (before.verified_at is not None) is verified:
        return False
    await tx.run(
        update(schema.integration)
        .where(_integration.client_id == client_id)
        .values(verified_at=tx.now if verified else None)
    )
    tx.changed(Kind.INTEGRATION, client_id)
    event = Event.INTEGRATION_VERIFIED if verified else Event.INTEGRATION_UNVERIFIED
    await audit_places(tx, event, actor, client_id, name=before.name)
    return True


async def change_integration(
    tx: Tx,
    actor: Actor,
    client_id: str,
    *,
    name: str | None = None,
    redirect_uris: Sequence[str] | None = None,
    require_par: bool | None = None,
    require_dpop: bool | None = None,
) -> Integration:
    """Give an integration another name, other callback URLs or rules. Raises `Refused` NOT_FOUND.

    None leaves a thing as it is. Another name or other callback URLs are not what the operator
    vouched for.
    """
    before = await _required(tx, client_id)
    if (name or before.name) != before.name or set(redirect_uris or ()) - {*before.redirect_uris}:
        await set_verified(tx, actor, client_id, False)
    await tx.run(
        update(schema.integration)
        .where(_integration.client_id == client_id)
        .values(
            name=before.name if name is None else name,
            redirect_uris=json.dumps(list(redirect_uris or before.redirect_uris)),
            require_par=before.require_par if require_par is None else require_par,
            require_dpop=before.require_dpop if require_dpop is None else require_dpop,
        )
    )
    after = await _required(tx, client_id)
    tx.changed(Kind.INTEGRATION, client_id)
    await audit_places(
        tx,
        Event.INTEGRATION_CHANGED,
        actor,
        client_id,
        name=after.name,
        redirect_uris=list(after.redirect_uris),
        require_par=after.require_par,
        require_dpop=after.require_dpop,
    )
    return after


async def set_link(
    tx: Tx, actor: Actor, client_id: str, link: IntegrationLink, note: str = ""
) -> Integration:
    """Link an integration to an app environment on a site, or change the link's scopes.

    Where the site requires approval, what the link does not hold yet waits for its admins. Raises
    `Refused` NOT_FOUND.
    """
    await _required(tx, client_id)
    await admit_link(tx, actor, client_id, link, note)
    tx.audit(
        Event.INTEGRATION_CHANGED,
        actor,
        site_id=link.site_id,
        app_id=link.app_id,
        subject=client_id,
        environment_id=link.environment_id,
        scopes=sorted(link.scopes | link.product_scopes),
        optional_scopes=sorted(link.optional),
    )
    return await _required(tx, client_id)


async def revoke_integration(tx: Tx, actor: Actor, client_id: str, reason: str = "") -> bool:
    """End an integration with every consent and token of it. False where it had ended."""
    integration = await integration_by_client_id(tx, client_id)
    ended = await tx.run(
        update(schema.integration)
        .where(_integration.client_id == client_id, _integration.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    if integration is None or ended.rowcount == 0:
        return False
    await end_secrets(tx, client_id)
    await withdraw(tx, actor, client_id)
    ended_with_it = "The integration was ended"
    await end_grants(tx, actor, schema.grant.c.client_id == client_id, reason=ended_with_it)
    tx.changed(Kind.INTEGRATION, client_id)
    await audit_places(
        tx, Event.INTEGRATION_REVOKED, actor, client_id, name=integration.name, reason=reason
    )
    return True


async def _required(tx: Tx, client_id: str) -> Integration:
    await hold_integration(tx, client_id)
    found = await integration_by_client_id(tx, client_id)
    if found is None:
        raise no_such_integration()
    return found


async def _with_links(reader: Reader, rows: Sequence[Row[Any]]) -> list[Integration]:
    links = await links_of(reader, [row.client_id for row in rows])
    return [_read([row._mapping[each] for each in _COLUMNS], links[row.client_id]) for row in rows]


def _read(row: Sequence[Any], links: tuple[IntegrationLink, ...]) -> Integration:
    """An integration from `_COLUMNS`."""
    client_id, name, owner_id, redirect_uris, created_at, revoked_at, kind = row[:7]
    forge_compatible, require_par, require_dpop, jwks, verified_at = row[7:]
    return Integration(
        client_id,
        name,
        owner_id,
        tuple(json.loads(redirect_uris)),
        links,
        created_at,
        revoked_at,
        ClientKind(kind),
        bool(forge_compatible),
        bool(require_par),
        bool(require_dpop),
        jwks,
        verified_at,
    )
