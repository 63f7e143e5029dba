"""Calls and log lines of one app environment as they come: filtered, in pages, from a place on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, or_, select

from sallyport.model.decision import DecisionRecord, LogLine
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.store.records import read_decision

Result = Literal["allowed", "refused", "failed"]
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")

_DECISION = schema.decision.c
_LINE = schema.log_line.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls or lines. Everything that is None lets all through.

    `level`: that one and graver. `function` of a line, `routes` (keys) of a call. `since` and
    `until` in milliseconds. `trace` and `invocation` name one chain and one run.
    """

    site_id: str | None = None
    level: str | None = None
    function: str | None = None
    routes: tuple[str, ...] | None = None
    result: Result | None = None
    since: int | None = None
    until: int | None = None
    trace: str | None = None
    invocation: str | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A log line and its place in the store."""

    seq: int
    line: LogLine


async def lines_of(
    reader: Reader,
    environment_id: str,
    wanted: Wanted,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[Numbered]:
    """Lines that match, newest first: the newest; or those before a place; or, oldest of them
    first, those after one."""
    rules = [_LINE.environment_id == environment_id, *_common(wanted, _LINE)]
    if wanted.level is not None:
        rules.append(_LINE.level.in_(LEVELS[LEVELS.index(wanted.level) :]))
    if wanted.function is not None:
        rules.append(_LINE.function_key == wanted.function)
    if before is not None:
        rules.append(_LINE.seq < before)
    if after is not None:
        rules.append(_LINE.seq > after)
    order = _LINE.seq if after is not None else _LINE.seq.desc()
    rows = await reader.all(select(schema.log_line).where(*rules).order_by(order).limit(limit))
    return [Numbered(row.seq, _line(row)) for row in rows]


async def newest_place(reader: Reader) -> int:
    """The place of the newest log line of all; 0 where there is none."""
    row = await reader.first(select(_LINE.seq).order_by(_LINE.seq.desc()).limit(1))
    return int(row.seq) if row is not None else 0


async def calls_of(
    reader: Reader,
    environment_id: str,
    wanted: Wanted,
    *,
    before: tuple[int, str] | None = None,
    limit: int,
) -> list[DecisionRecord]:
    """Calls that match, newest first; those before a time and id, where given."""
    rules = [_DECISION.environment_id == environment_id, *_common(wanted, _DECISION)]
    if wanted.routes is not None:
        rules.append(_DECISION.route_key.in_(wanted.routes))
    if wanted.result is not None:
        rules.append(_result(wanted.result))
    if before is not None:
        at, last = before
        rules.append(or_(_DECISION.at < at, and_(_DECISION.at == at, _DECISION.id > last)))
    rows: Sequence[Row[Any]] = await reader.all(
        select(schema.decision)
        .where(*rules)
        .order_by(_DECISION.at.desc(), _DECISION.id)
        .limit(limit)
    )
    return [read_decision(row) for row in rows]


def _common(wanted: Wanted, columns: Any) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = []
    for column, value in (
        (columns.site_id, wanted.site_id),
        (columns.trace_id, wanted.trace),
        (columns.invocation_id, wanted.invocation),
    ):
        if value is not None:
            rules.append(column == value)
    if wanted.since is not None:
        rules.append(columns.at >= wanted.since)
    if wanted.until is not None:
        rules.append(columns.at < wanted.until)
    return rules


def _result(result: Result) -> ColumnElement[bool]:
    if result == "failed":
        return _DECISION.status >= 500
    if result == "refused":
        return and_(_DECISION.gate.is_not(None), _DECISION.status < 500)
    return and_(_DECISION.gate.is_(None), _DECISION.status < 500)


def _line(row: Row[Any]) -> LogLine:
    return LogLine(**{name: getattr(row, name) for name in LogLine.__slots__})
