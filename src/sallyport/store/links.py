"""Links of integrations: what each holds. Every write of a link's scopes is here.

A link holds what the integration may use now, no matter what was asked: consent, tokens and the
gateway read it alone, and need not know that there is such a thing as approval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from sallyport.model.access import IntegrationLink
from sallyport.model.approval import Approval, admitted, narrowed, widened
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.approvals import (
    approval_required,
    ask_approval,
    note_taken_back,
    settle,
    withdraw,
)
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import environment_by_id
from sallyport.store.lists import read_names, write_names
from sallyport.store.locks import hold, hold_integration
from sallyport.vocab.events import Event

_link = schema.integration_link.c


async def links_of(
    reader: Reader, client_ids: Iterable[str]
) -> dict[str, tuple[IntegrationLink, ...]]:
    """The links of integrations by client id, each integration's in the order they were made."""
    links: dict[str, list[IntegrationLink]] = {each: [] for each in client_ids}
    found = await reader.all(
        select(schema.integration_link, schema.environment.c.app_id)
        .join(schema.environment, schema.environment.c.id == _link.environment_id)
        .where(_link.client_id.in_(links))
        .order_by(_link.created_at, _link.site_id, _link.environment_id)
    )
    for row in found:
        links[row.client_id].append(
            IntegrationLink(
                row.site_id,
                row.app_id,
                row.environment_id,
                read_names(row.scopes),
                read_names(row.product_scopes),
                read_names(row.optional_scopes),
            )
        )
    return {client_id: tuple(each) for client_id, each in links.items()}


async def admit_link(
    tx: Tx,
    actor: Actor,
    client_id: str,
    wanted: IntegrationLink,
    note: str,
    *,
    always: bool = False,
) -> IntegrationLink:
    """Write a link as its owner wants it, as far as the site lets it; returns what it holds now.

    Where the site requires approval, or `always`, what it does not hold already waits in the queue.
    Callers hold the integration.
    """
    # A switch that is turned on meanwhile comes before this link or after it, never in between.
    await hold(tx, schema.site, wanted.site_id)
    link = wanted
    if always or await approval_required(tx, wanted.site_id):
        link = admitted(wanted, await _held(tx, client_id, wanted))
    await write_link(tx, client_id, link)
    missing = narrowed(wanted, _all(wanted) - _all(link))
    await ask_approval(tx, actor, client_id, missing, note)
    return link


async def write_link(tx: Tx, client_id: str, link: IntegrationLink) -> None:
    """Write a link as it is given: for one that an admin of the site gives himself."""
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
            optional_scopes=write_names(link.optional),
            created_at=tx.now,
        )
    )
    tx.changed(Kind.INTEGRATION, client_id)


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
    environment = await environment_by_id(tx, environment_id)
    await withdraw(tx, actor, client_id, site_id, environment_id)
    tx.changed(Kind.INTEGRATION, client_id)
    tx.audit(
        Event.INTEGRATION_CHANGED,
        actor,
        site_id=site_id,
        app_id=environment.app_id if environment is not None else None,
        subject=client_id,
        unlinked_environment_id=environment_id,
    )
    return True


async def answer_approval(
    tx: Tx, actor: Actor, approval: Approval, approved: frozenset[str], reason: str
) -> bool:
    """Answer what waits: the link gets the approved scopes, the others are refused.

    False, and nothing changes, where it waits no more. Scopes that were not asked never get in.
    Raises `Refused` NOT_FOUND where the integration was revoked.
    """
    await hold_integration(tx, approval.client_id)
    if not await settle(tx, actor, approval.id, approved & approval.asked, reason):
        return False
    held = await _held(tx, approval.client_id, approval)
    if held is None:
        return False
    await write_link(tx, approval.client_id, widened(held, approval, approved))
    tx.audit(
        Event.APPROVAL_ANSWERED,
        actor,
        site_id=approval.site_id,
        app_id=held.app_id,
        subject=approval.id,
        client_id=approval.client_id,
        environment_id=approval.environment_id,
        asked_by=approval.asked_by,
        approved=sorted(approved & approval.asked),
        refused=sorted(approval.asked - approved),
        reason=reason,
    )
    return True


async def take_back(
    tx: Tx, actor: Actor, client_id: str, link: IntegrationLink, scopes: frozenset[str], reason: str
) -> frozenset[str]:
    """Take scopes from a link; the next call that needs one is refused. Returns what was taken.

    Raises `Refused` NOT_FOUND where the integration was revoked.
    """
    await hold_integration(tx, client_id)
    held = await _held(tx, client_id, link)
    taken = frozenset[str]() if held is None else _all(held) & scopes
    if held is None or not taken:
        return frozenset()
    await write_link(tx, client_id, narrowed(held, _all(held) - taken))
    await note_taken_back(tx, actor, client_id, narrowed(held, taken), reason)
    tx.audit(
        Event.APPROVAL_TAKEN_BACK,
        actor,
        site_id=held.site_id,
        app_id=held.app_id,
        subject=client_id,
        environment_id=held.environment_id,
        scopes=sorted(taken),
        reason=reason,
    )
    return taken


async def audit_places(tx: Tx, event: Event, actor: Actor, client_id: str, **detail: Any) -> None:
    """Record what befell an integration once for each site and app that it is linked to.

    So that the admins of each find it among their own.
    """
    links = (await links_of(tx, [client_id]))[client_id]
    for site_id, app_id in sorted({(each.site_id, each.app_id) for each in links}):
        tx.audit(event, actor, site_id=site_id, app_id=app_id, subject=client_id, **detail)
    if not links:
        tx.audit(event, actor, subject=client_id, **detail)


async def _held(
    tx: Tx, client_id: str, where: IntegrationLink | Approval
) -> IntegrationLink | None:
    links: Sequence[IntegrationLink] = (await links_of(tx, [client_id]))[client_id]
    here = (where.site_id, where.environment_id)
    return next((each for each in links if (each.site_id, each.environment_id) == here), None)


def _all(link: IntegrationLink) -> frozenset[str]:
    return link.scopes | link.product_scopes
