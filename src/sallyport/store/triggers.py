"""Web triggers' URLs and the times of scheduled triggers, for each installation.

A URL's secret is found by its digest; it is also kept sealed, because whoever may make it may see
it again. A due run is claimed by moving its row to the next time: whoever moves it starts the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, delete, literal, select, update

from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.installed import Installed
from sallyport.store.running import running_version
from sallyport.vocab.clock import DAY, HOUR, MINUTE
from sallyport.vocab.events import Event
from sallyport.vocab.ids import WEB_TRIGGER, digest, new_id, new_secret

INTERVALS: dict[str, int] = {
    "fiveMinute": 5 * MINUTE,
    "hour": HOUR,
    "day": DAY,
    "week": 7 * DAY,
}
FIRST_RUN = 5 * MINUTE

_TRIGGER = schema.web_trigger.c
_RUN = schema.scheduled_run.c
_INSTALLATION = schema.installation.c
_ENVIRONMENT = schema.environment.c

Schedules = Callable[[str], Mapping[str, str]]
"""A stored manifest -> its scheduled triggers: module key -> interval."""


@dataclass(frozen=True, slots=True)
class WebTriggerUrl:
    """A web trigger that has a URL; `secret` is the part of the URL that nobody guesses."""

    id: str
    installation_id: str
    module_key: str
    secret: str
    created_at: int


@dataclass(frozen=True, slots=True)
class TriggerPlace:
    """What a URL leads to."""

    id: str
    module_key: str
    installation_id: str
    site_id: str
    product: str
    app_id: str
    environment_id: str


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run of a scheduled trigger that its claimant must start."""

    installation_id: str
    module_key: str
    due_at: int


async def add_web_trigger(
    tx: Tx, actor: Actor, installed: Installed, module_key: str
) -> WebTriggerUrl:
    """Make a URL for a web trigger of an installation, or return the one that it has."""
    installation = installed.installation
    secret = new_secret(WEB_TRIGGER)
    id = new_id()
    made = await tx.run(
        insert_into(tx, schema.web_trigger)
        .values(
            id=id,
            installation_id=installation.id,
            module_key=module_key,
            digest=digest(secret),
            sealed=tx.sealer.seal(secret.encode(), _purpose(id)),
            created_by=actor.account_id,
            created_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["installation_id", "module_key"])
    )
    if made.rowcount == 1:
        tx.audit(
            Event.WEB_TRIGGER_CREATED,
            actor,
            site_id=installation.site_id,
            app_id=installed.app.id,
            subject=id,
            installation=installation.id,
            module=module_key,
        )
    row = await tx.first(
        select(schema.web_trigger).where(
            _TRIGGER.installation_id == installation.id, _TRIGGER.module_key == module_key
        )
    )
    assert row is not None
    return _url(tx, row)


async def remove_web_trigger(
    tx: Tx, actor: Actor, installed: Installed, trigger: WebTriggerUrl
) -> bool:
    """End a URL; a later one is another. False where it was gone already."""
    gone = await tx.run(delete(schema.web_trigger).where(_TRIGGER.id == trigger.id))
    if gone.rowcount == 0:
        return False
    tx.audit(
        Event.WEB_TRIGGER_DELETED,
        actor,
        site_id=installed.site.id,
        app_id=installed.app.id,
        subject=trigger.id,
        installation=trigger.installation_id,
        module=trigger.module_key,
    )
    return True


async def web_triggers_of(reader: Reader, installation_id: str) -> tuple[WebTriggerUrl, ...]:
    """The URLs of an installation by module key."""
    rows = await reader.all(
        select(schema.web_trigger)
        .where(_TRIGGER.installation_id == installation_id)
        .order_by(_TRIGGER.module_key)
    )
    return tuple(_url(reader, row) for row in rows)


async def web_trigger_by_id(reader: Reader, trigger_id: str) -> WebTriggerUrl | None:
    row = await reader.first(select(schema.web_trigger).where(_TRIGGER.id == trigger_id))
    return None if row is None else _url(reader, row)


async def place_of(reader: Reader, secret: str) -> TriggerPlace | None:
    """What the URL with this secret leads to."""
    row = await reader.first(
        select(
            _TRIGGER.id,
            _TRIGGER.module_key,
            _TRIGGER.installation_id,
            _INSTALLATION.site_id,
            _INSTALLATION.product,
            _ENVIRONMENT.app_id,
            _INSTALLATION.environment_id,
        )
        .select_from(
            schema.web_trigger.join(
                schema.installation, _INSTALLATION.id == _TRIGGER.installation_id
            ).join(schema.environment, _ENVIRONMENT.id == _INSTALLATION.environment_id)
        )
        .where(_TRIGGER.digest == digest(secret))
    )
    return None if row is None else TriggerPlace(**row._mapping)


async def plan_runs(tx: Tx, installation_id: str, schedules: Schedules) -> None:
    """Bring the times of an installation in line with the version that it runs.

    A trigger that is new runs first after five minutes.
    """
    running = await running_version(tx, installation_id)
    wanted = {} if running is None else schedules(running.manifest)
    await tx.run(
        delete(schema.scheduled_run).where(
            _RUN.installation_id == installation_id, _RUN.module_key.not_in(list(wanted))
        )
    )
    for key, interval in sorted(wanted.items()):
        here = (
            select(
                _INSTALLATION.id,
                literal(key),
                literal(interval),
                literal(tx.now + FIRST_RUN, BigInteger),
            )
            .where(_INSTALLATION.id == installation_id)
            .with_for_update(read=True, key_share=True)
        )
        await tx.run(
            insert_into(tx, schema.scheduled_run)
            .from_select(["installation_id", "module_key", "interval", "next_at"], here)
            .on_conflict_do_nothing(index_elements=["installation_id", "module_key"])
        )
        await tx.run(
            update(schema.scheduled_run)
            .where(
                _RUN.installation_id == installation_id,
                _RUN.module_key == key,
                _RUN.interval != interval,
            )
            .values(interval=interval, next_at=tx.now + FIRST_RUN)
        )


async def planned_runs(
    reader: Reader, installation_ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """What is planned: installation -> module key -> interval."""
    rows = await reader.all(
        select(schema.scheduled_run).where(_RUN.installation_id.in_(installation_ids))
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.installation_id, {})[row.module_key] = row.interval
    return found


async def claim_due(tx: Tx, limit: int) -> list[DueRun]:
    """Claim up to `limit` runs whose time has come; each is claimed by one caller alone.

    However many intervals have passed meanwhile, one run is due. The next is at the next full
    interval after now, counted from the time that was planned.
    """
    rows = await tx.all(
        select(schema.scheduled_run)
        .where(_RUN.next_at <= tx.now)
        .order_by(_RUN.next_at, _RUN.installation_id, _RUN.module_key)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in rows:
        every = INTERVALS[row.interval]
        following = row.next_at + ((tx.now - row.next_at) // every + 1) * every
        moved = await tx.run(
            update(schema.scheduled_run)
            .where(
                _RUN.installation_id == row.installation_id,
                _RUN.module_key == row.module_key,
                _RUN.next_at == row.next_at,
            )
            .values(next_at=following)
        )
        if moved.rowcount == 1:
            claimed.append(DueRun(row.installation_id, row.module_key, row.next_at))
    return claimed


def _url(reader: Reader, row: Row[Any]) -> WebTriggerUrl:
    secret = reader.sealer.open(row.sealed, _purpose(row.id)).decode()
    return WebTriggerUrl(row.id, row.installation_id, row.module_key, secret, row.created_at)


def _purpose(trigger_id: str) -> str:
    return f"web-trigger:{trigger_id}"
