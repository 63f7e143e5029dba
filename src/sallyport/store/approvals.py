"""The queue of scopes that wait for a site's admins, and what they answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from sallyport.model.access import IntegrationLink
from sallyport.model.approval import Approval, ApprovalState
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import environment_by_id
from sallyport.store.lists import read_names, write_names
from sallyport.store.locks import hold
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_approval = schema.approval.c
_site = schema.site.c
_PENDING = _approval.state == ApprovalState.PENDING.value


async def approval_required(reader: Reader, site_id: str) -> bool:
    """Whether new links of integrations on the site wait for an admin."""
    return bool(await reader.scalar(select(_site.approval_required).where(_site.id == site_id)))


async def require_approval(tx: Tx, actor: Actor, site_id: str, required: bool, reason: str) -> bool:
    """Set whether new links wait for an admin. False where it was so. Links that exist stay."""
    await hold(tx, schema.site, site_id)
    if await approval_required(tx, site_id) == required:
        return False
    await tx.run(update(schema.site).where(_site.id == site_id).values(approval_required=required))
    tx.audit(Event.APPROVAL_RULE_SET, actor, site_id=site_id, required=required, reason=reason)
    return True


async def approval_by_id(reader: Reader, approval_id: str) -> Approval | None:
    rows = await _approvals(reader, _approval.id == approval_id)
    return rows[0] if rows else None


async def approvals_of_site(
    reader: Reader, site_id: str, *, pending: bool, most: int = 500
) -> list[Approval]:
    """What waits for the site's admins, oldest first; or all that was answered too.

    Of more than `most` the newest are told where answers are among them, else the oldest.
    """
    if pending:
        return (await _approvals(reader, _approval.site_id == site_id, _PENDING))[:most]
    rows = await reader.all(
        select(schema.approval)
        .where(_approval.site_id == site_id)
        .order_by(_approval.asked_at.desc(), _approval.id.desc())
        .limit(most)
    )
    return [read_approval(row) for row in reversed(rows)]


async def pending_of_account(reader: Reader, site_id: str, account_id: str) -> int:
    """How many requests of one account wait on a site."""
    return int(
        await reader.scalar(
            select(func.count())
            .select_from(schema.approval)
            .where(_approval.site_id == site_id, _approval.asked_by == account_id, _PENDING)
        )
    )


async def approvals_of_link(
    reader: Reader, client_id: str, site_id: str, environment_id: str
) -> list[Approval]:
    """All that was asked and answered about one link, oldest first."""
    return await _approvals(reader, *_of_link(client_id, site_id, environment_id))


async def awaited_scopes(
    reader: Reader, client_id: str, environment_id: str
) -> dict[str, frozenset[str]]:
    """What an integration waits for at one app environment, by the cloud id of the site."""
    found = await _approvals(
        reader,
        _approval.client_id == client_id,
        _approval.environment_id == environment_id,
        _PENDING,
    )
    return {each.site_id: each.asked for each in found}


async def ask_approval(
    tx: Tx, actor: Actor, client_id: str, missing: IntegrationLink, note: str
) -> None:
    """Have the scopes of `missing` wait; in place of what waited for this link before.

    A request that changes gets a new id, so that nobody answers what he has not read. One that asks
    the same again is left as it is. Callers hold the integration.
    """
    here = _of_link(client_id, missing.site_id, missing.environment_id)
    waiting = await _approvals(tx, *here, _PENDING)
    if any(_asks_the_same(each, missing, note) for each in waiting):
        return
    await withdraw(tx, actor, client_id, missing.site_id, missing.environment_id)
    if not missing.scopes | missing.product_scopes or actor.account_id is None:
        return
    approval_id = new_id()
    await tx.run(
        insert(schema.approval).values(
            id=approval_id,
            client_id=client_id,
            site_id=missing.site_id,
            environment_id=missing.environment_id,
            scopes=write_names(missing.scopes),
            product_scopes=write_names(missing.product_scopes),
            optional_scopes=write_names(missing.optional),
            note=note,
            asked_by=actor.account_id,
            asked_at=tx.now,
            state=ApprovalState.PENDING.value,
        )
    )
    tx.audit(
        Event.APPROVAL_ASKED,
        actor,
        site_id=missing.site_id,
        app_id=missing.app_id,
        subject=approval_id,
        client_id=client_id,
        environment_id=missing.environment_id,
        scopes=sorted(missing.scopes | missing.product_scopes),
        note=note,
    )


async def withdraw(
    tx: Tx, actor: Actor, client_id: str, site_id: str | None = None, environment_id: str = ""
) -> None:
    """Take what waits out of the queue: of one link, or of every link of the integration."""
    of_link = _of_link(client_id, site_id or "", environment_id)
    which = of_link if site_id is not None else (_approval.client_id == client_id,)
    gone = await tx.run(
        delete(schema.approval)
        .where(*which, _PENDING)
        .returning(_approval.id, _approval.site_id, _approval.environment_id)
    )
    for row in gone.all():
        environment = await environment_by_id(tx, row.environment_id)
        tx.audit(
            Event.APPROVAL_WITHDRAWN,
            actor,
            site_id=row.site_id,
            app_id=environment.app_id if environment is not None else None,
            subject=row.id,
            client_id=client_id,
            environment_id=row.environment_id,
        )


async def settle(
    tx: Tx, actor: Actor, approval_id: str, approved: frozenset[str], reason: str
) -> bool:
    """Write the answer to what waits. False where it waits no more: answered or withdrawn."""
    done = await tx.run(
        update(schema.approval)
        .where(_approval.id == approval_id, _PENDING)
        .values(
            state=ApprovalState.ANSWERED.value,
            approved_scopes=write_names(approved),
            reason=reason,
            decided_by=actor.account_id,
            decided_at=tx.now,
        )
    )
    return done.rowcount == 1


async def note_taken_back(
    tx: Tx, actor: Actor, client_id: str, taken: IntegrationLink, reason: str
) -> None:
    """Keep the admin's words about scopes that were taken from a link, for its owner to read."""
    await tx.run(
        insert(schema.approval).values(
            id=new_id(),
            client_id=client_id,
            site_id=taken.site_id,
            environment_id=taken.environment_id,
            scopes=write_names(taken.scopes),
            product_scopes=write_names(taken.product_scopes),
            optional_scopes=write_names(taken.optional),
            note="",
            asked_by=actor.account_id,
            asked_at=tx.now,
            state=ApprovalState.TAKEN_BACK.value,
            approved_scopes=write_names(()),
            reason=reason,
            decided_by=actor.account_id,
            decided_at=tx.now,
        )
    )


def _of_link(client_id: str, site_id: str, environment_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        _approval.client_id == client_id,
        _approval.site_id == site_id,
        _approval.environment_id == environment_id,
    )


def _asks_the_same(waiting: Approval, missing: IntegrationLink, note: str) -> bool:
    return (waiting.scopes, waiting.product_scopes, waiting.optional, waiting.note) == (
        missing.scopes,
        missing.product_scopes,
        missing.optional,
        note,
    )


async def _approvals(reader: Reader, *which: ColumnElement[bool]) -> list[Approval]:
    rows: Sequence[Row[Any]] = await reader.all(
        select(schema.approval).where(*which).order_by(_approval.asked_at, _approval.id)
    )
    return [read_approval(row) for row in rows]


def read_approval(row: Row[Any]) -> Approval:
    """A request from a row of the table."""
    return Approval(
        row.id,
        row.client_id,
        row.site_id,
        row.environment_id,
        read_names(row.scopes),
        read_names(row.product_scopes),
        read_names(row.optional_scopes),
        row.note,
        row.asked_by,
        row.asked_at,
        ApprovalState(row.state),
        read_names(row.approved_scopes or "[]"),
        row.reason or "",
        row.decided_by,
        row.decided_at,
    )
