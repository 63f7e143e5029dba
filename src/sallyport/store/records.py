"""Decisions and log lines: written in batches, read by those who may, kept for a while."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Row, and_, delete, func, insert, or_, select

from sallyport.model.decision import DecisionRecord, Gate, LogLine
from sallyport.store import schema
from sallyport.store.engine import Reader, Tx

_DECISION = schema.decision.c
_LINE = schema.log_line.c
# SQLite takes at most 32,766 values in a statement.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions; what is None does not narrow.

    `gate` is the one that refused. `before` is time (milliseconds) and id of the one to go on from.
    """

    refused_only: bool = False
    environment_id: str | None = None
    client_id: str | None = None
    gate: Gate | None = None
    before: tuple[int, str] | None = None


async def add_decisions(tx: Tx, records: Sequence[DecisionRecord]) -> None:
    """Keep decisions; an empty sequence keeps nothing."""
    if tx.conn.dialect.name == "sqlite":
        # A statement of many rows costs a fraction of as many statements, and the thread that runs
        # it keeps the others waiting once instead of for each row.
        at = 0
        while len(records) - at >= _AT_ONCE:
            values = [each for r in records[at : at + _AT_ONCE] for each in _decision_values(r)]
            await tx.conn.exec_driver_sql(_insert_decisions(_AT_ONCE), tuple(values))
            at += _AT_ONCE
        for record in records[at:]:
            await tx.conn.exec_driver_sql(_insert_decisions(1), _decision_values(record))
    elif records:
        rows = [
            dict(zip(DecisionRecord._fields, _decision_values(r), strict=True)) for r in records
        ]
        await tx.conn.execute(insert(schema.decision), rows)


async def add_log_lines(tx: Tx, lines: Sequence[LogLine]) -> None:
    """Keep log lines in the order given; an empty sequence keeps nothing."""
    if lines:
        rows = [{name: getattr(line, name) for name in LogLine.__slots__} for line in lines]
        await tx.conn.execute(insert(schema.log_line), rows)


async def decision_by_id(reader: Reader, decision_id: str) -> DecisionRecord | None:
    row = await reader.first(select(schema.decision).where(_DECISION.id == decision_id))
    return read_decision(row) if row is not None else None


async def decisions_of_site(
    reader: Reader, site_id: str, query: DecisionQuery, limit: int
) -> list[DecisionRecord]:
    """The newest decisions about calls to a site that match, newest first."""
    statement = select(schema.decision).where(_DECISION.site_id == site_id)
    if query.refused_only:
        statement = statement.where(_DECISION.gate.is_not(None))
    for column, value in (
        (_DECISION.environment_id, query.environment_id),
        (_DECISION.client_id, query.client_id),
        (_DECISION.gate, query.gate),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if query.before is not None:
        at, last = query.before
        later = and_(_DECISION.at == at, _DECISION.id > last)
        statement = statement.where(or_(_DECISION.at < at, later))
    statement = statement.order_by(_DECISION.at.desc(), _DECISION.id).limit(limit)
    return [read_decision(row) for row in await reader.all(statement)]


async def log_lines(
    reader: Reader,
    environment_id: str,
    *,
    invocation: str | None,
    trace: str | None,
    since: int | None,
    limit: int,
) -> list[LogLine]:
    """The newest `limit` lines that match, oldest first."""
    statement = select(schema.log_line).where(_LINE.environment_id == environment_id)
    if invocation is not None:
        statement = statement.where(_LINE.invocation_id == invocation)
    if trace is not None:
        statement = statement.where(_LINE.trace_id == trace)
    if since is not None:
        statement = statement.where(_LINE.at >= since)
    rows = await reader.all(statement.order_by(_LINE.seq.desc()).limit(limit))
    return [
        LogLine(**{name: getattr(row, name) for name in LogLine.__slots__})
        for row in reversed(rows)
    ]


async def purge_records(tx: Tx, *, before: int, keep: int, batch: int) -> int:
    """Delete up to `batch` decisions and as many log lines: those older than `before`, and the
    oldest beyond `keep` rows. Returns how many rows went."""
    gone = 0
    for table, order in ((schema.decision, _DECISION.at), (schema.log_line, _LINE.at)):
        key = next(iter(table.primary_key))
        total = int(await tx.scalar(select(func.count()).select_from(table)))
        surplus = min(batch, max(0, total - keep))
        oldest = select(key).order_by(order).limit(surplus)
        expired = select(key).where(order < before).limit(batch)
        for doomed in (oldest, expired):
            ids = [row[0] for row in await tx.all(doomed)]
            if ids:
                gone += (await tx.run(delete(table).where(key.in_(ids)))).rowcount
    return gone


_PROBLEM = DecisionRecord._fields.index("problem")


def _decision_values(record: DecisionRecord) -> tuple[Any, ...]:
    if record.problem is None:
        return record
    return (*record[:_PROBLEM], json.dumps(record.problem), *record[_PROBLEM + 1 :])


@lru_cache
def _insert_decisions(rows: int) -> str:
    columns = DecisionRecord._fields
    row = f"({', '.join('?' * len(columns))})"
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO decision ({names}) VALUES {', '.join([row] * rows)}"


def read_decision(row: Row[Any]) -> DecisionRecord:
    """A row of the table as the record that was kept."""
    values = dict(row._mapping)
    values["problem"] = None if row.problem is None else json.loads(row.problem)
    values["gate"] = cast(Gate | None, row.gate)
    return DecisionRecord(**values)
