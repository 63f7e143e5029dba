"""Integrations (OAuth clients): their secrets, links and end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update

from sallyport.model.access import Integration, IntegrationLink
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.grants import end_grants
from sallyport.store.lists import read_names, write_names
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

MOST_SECRETS = 2

_integration = schema.integration.c
_link = schema.integration_link.c
_secret = schema.integration_secret.c


async def integration_by_client_id(reader: Reader, client_id: str) -> Integration | None:
    """The integration with its links, revoked or not. Untrue after `INTEGRATION` (client id)."""
    row = await reader.first(select(schema.integration).where(_integration.client_id == client_id))
    return None if row is None else (await _with_links(reader, [row]))[0]


async def integrations_of_owner(reader: Reader, account_id: str) -> list[Integration]:
    """The live integrations that an account made, newest first."""
    rows = await reader.all(
        select(schema.integration)
        .where(_integration.owner_id == account_id, _integration.revoked_at.is_(None))
        .order_by(_integration.created_at.desc(), _integration.client_id)
    )
    return await _with_links(reader, rows)


async def integrations_of_site(reader: Reader, site_id: str) -> list[Integration]:
    """The live integrations that are linked to an app on a site, newest first."""
    linked = select(_link.client_id).where(_link.site_id == site_id)
    rows = await reader.all(
        select(schema.integration)
        .where(_integration.client_id.in_(linked), _integration.revoked_at.is_(None))
        .order_by(_integration.created_at.desc(), _integration.client_id)
    )
    return await _with_links(reader, rows)


async def live_secret_digests(reader: Reader, client_id: str) -> tuple[str, ...]:
    """Digests of the secrets that sign the client in now, oldest first; none once it is revoked."""
    rows = await reader.all(_live_secrets(client_id))
    return tuple(row.digest for row in rows)


async def create_integration(
    tx: Tx,
    actor: Actor,
    owner_id: str,
    name: str,
    redirect_uris: Sequence[str],
    link: IntegrationLink,
    secret_digest: str,
) -> Integration:
    """A new integration with its first secret and its first link."""
    client_id = new_id()
    await tx.run(
        insert(schema.integration).values(
            client_id=client_id,
            name=name,
            owner_id=owner_id,
            redirect_uris=json.dumps(list(redirect_uris)),
            created_at=tx.now,
            revoked_at=None,
        )
    )
    await _add_secret(tx, client_id, secret_digest, tx.now)
    await _write_link(tx, client_id, link)
    tx.changed(Kind.INTEGRATION, client_id)
    tx.audit(
        Event.INTEGRATION_CREATED,
        actor,
        site_id=link.site_id,
        app_id=link.app_id,
        subject=client_id,
        name=name,
        environment_id=link.environment_id,
        scopes=sorted(link.scopes | link.product_scopes),
    )
    return await _required(tx, client_id)


async def change_integration(
    tx: Tx,
    actor: Actor,
    client_id: str,
    *,
    name: str | None = None,
    redirect_uris: Sequence[str] | None = None,
) -> Integration:
    """Give an integration another name or other callback URLs. Raises `Refused` NOT_FOUND."""
    before = await _required(tx, client_id)
    await tx.run(
        update(schema.integration)
        .where(_integration.client_id == client_id)
        .values(
            name=before.name if name is None else name,
            redirect_uris=json.dumps(list(redirect_uris or before.redirect_uris)),
        )
    )
    after = await _required(tx, client_id)
    tx.changed(Kind.INTEGRATION, client_id)
    for site_id in _linked_sites(after):
        tx.audit(
            Event.INTEGRATION_CHANGED,
            actor,
            site_id=site_id,
            subject=client_id,
            name=after.name,
            redirect_uris=list(after.redirect_uris),
        )
    return after


async def set_link(tx: Tx, actor: Actor, client_id: str, link: IntegrationLink) -> Integration:
    """Link an integration to an app environment on a site, or change the link's scopes.

    Raises `Refused` NOT_FOUND.
    """
    await _required(tx, client_id)
    await _write_link(tx, client_id, link)
    tx.changed(Kind.INTEGRATION, client_id)
    tx.audit(
        Event.INTEGRATION_CHANGED,
        actor,
        site_id=link.site_id,
        app_id=link.app_id,
        subject=client_id,
        environment_id=link.environment_id,
        scopes=sorted(link.scopes | link.product_scopes),
    )
    return await _required(tx, client_id)


async def remove_link(
    tx: Tx, actor: Actor, client_id: str, site_id: str, environment_id: str
) -> bool:
    """Unlink: calls there are refused from now on. False where there is no such link."""
    removed = await tx.run(
        delete(schema.integration_link).where(
            _link.client_id == client_id,
            _link.site_id == site_id,
            _link.environment_id == environment_id,
        )
    )
    if removed.rowcount == 0:
        return False
    tx.changed(Kind.INTEGRATION, client_id)
    tx.audit(
        Event.INTEGRATION_CHANGED,
        actor,
        site_id=site_id,
        subject=client_id,
        unlinked_environment_id=environment_id,
    )
    return True


async def revoke_integration(tx: Tx, actor: Actor, client_id: str) -> bool:
    """End an integration with every consent and token of it. False where it had ended."""
    integration = await integration_by_client_id(tx, client_id)
    ended = await tx.run(
        update(schema.integration)
        .where(_integration.client_id == client_id, _integration.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    if integration is None or ended.rowcount == 0:
        return False
    await tx.run(
        update(schema.integration_secret)
        .where(_secret.client_id == client_id, _secret.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    await end_grants(tx, actor, schema.grant.c.client_id == client_id)
    tx.changed(Kind.INTEGRATION, client_id)
    for site_id in _linked_sites(integration):
        tx.audit(
            Event.INTEGRATION_REVOKED,
            actor,
            site_id=site_id,
            subject=client_id,
            name=integration.name,
        )
    return True


async def add_secret(tx: Tx, actor: Actor, client_id: str, secret_digest: str) -> None:
    """A second live secret, so that clients can move over.

    Raises `Refused` NOT_FOUND, or CONFLICT where two are live.
    """
    await hold_integration(tx, client_id)
    live = await tx.all(_live_secrets(client_id))
    if len(live) >= MOST_SECRETS:
        raise Refused(
            Reason.CONFLICT,
            "Two secrets of this integration are live already.",
            fix="End the previous secret first, then make a new one.",
        )
    # Which secret is the previous one is told by time alone, so no two may share a millisecond.
    newest = max((row.created_at for row in live), default=0)
    await _add_secret(tx, client_id, secret_digest, max(tx.now, newest + 1))
    tx.audit(Event.INTEGRATION_SECRET_ROTATED, actor, subject=client_id, added=True)


async def end_previous_secret(tx: Tx, actor: Actor, client_id: str) -> bool:
    """End the older of two live secrets. False where one alone is live. Raises `Refused`."""
    await hold_integration(tx, client_id)
    live = await tx.all(_live_secrets(client_id))
    if len(live) < MOST_SECRETS:
        return False
    await tx.run(
        update(schema.integration_secret)
        .where(_secret.id.in_([row.id for row in live[:-1]]))
        .values(revoked_at=tx.now)
    )
    tx.audit(Event.INTEGRATION_SECRET_ROTATED, actor, subject=client_id, ended_previous=True)
    return True


def _linked_sites(integration: Integration) -> list[str | None]:
    """The sites whose audit a change of the integration belongs in; None where there is none."""
    return [*sorted({link.site_id for link in integration.links})] or [None]


def _live_secrets(client_id: str) -> Select[Any]:
    return (
        select(_secret.id, _secret.digest, _secret.created_at)
        .join(schema.integration, _integration.client_id == _secret.client_id)
        .where(
            _secret.client_id == client_id,
            _secret.revoked_at.is_(None),
            _integration.revoked_at.is_(None),
        )
        .order_by(_secret.created_at)
    )


async def _add_secret(tx: Tx, client_id: str, secret_digest: str, created_at: int) -> None:
    await tx.run(
        insert(schema.integration_secret).values(
            id=new_id(),
            client_id=client_id,
            digest=secret_digest,
            created_at=created_at,
            revoked_at=None,
        )
    )


async def _write_link(tx: Tx, client_id: str, link: IntegrationLink) -> None:
    await tx.run(
        delete(schema.integration_link).where(
            _link.client_id == client_id,
            _link.site_id == link.site_id,
            _link.environment_id == link.environment_id,
        )
    )
    await tx.run(
        insert(schema.integration_link).values(
            client_id=client_id,
            site_id=link.site_id,
            environment_id=link.environment_id,
            scopes=write_names(link.scopes),
            product_scopes=write_names(link.product_scopes),
            created_at=tx.now,
        )
    )


async def hold_integration(tx: Tx, client_id: str) -> None:
    """Let nobody else change this integration, or consent to it, until the transaction ends.

    Raises `Refused` NOT_FOUND where there is none, or it was revoked.
    """
    row = await tx.first(
        select(_integration.client_id)
        .where(_integration.client_id == client_id, _integration.revoked_at.is_(None))
        .with_for_update(key_share=True)
    )
    if row is None:
        raise _not_found()


async def _required(tx: Tx, client_id: str) -> Integration:
    await hold_integration(tx, client_id)
    found = await integration_by_client_id(tx, client_id)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such integration among yours.",
        fix="Check the client id; a revoked integration cannot be changed.",
    )


async def _with_links(reader: Reader, rows: Sequence[Row[Any]]) -> list[Integration]:
    links: dict[str, list[IntegrationLink]] = {row.client_id: [] for row in rows}
    found = await reader.all(
        select(schema.integration_link, schema.environment.c.app_id)
        .join(schema.environment, schema.environment.c.id == _link.environment_id)
        .where(_link.client_id.in_(links))
        .order_by(_link.created_at, _link.site_id, _link.environment_id)
    )
    for link in found:
        links[link.client_id].append(
            IntegrationLink(
                link.site_id,
                link.app_id,
                link.environment_id,
                read_names(link.scopes),
                read_names(link.product_scopes),
            )
        )
    return [
        Integration(
            row.client_id,
            row.name,
            row.owner_id,
            tuple(json.loads(row.redirect_uris)),
            tuple(links[row.client_id]),
            row.created_at,
            row.revoked_at,
        )
        for row in rows
    ]
