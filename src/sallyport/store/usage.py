"""Usage: how often what was called in an hour, summed as it is written, kept as long as the audit.

A row is one site, app environment, integration, route and set of scopes in one hour. Scopes of a
route may differ between versions, so they are part of what is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select

from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.schema_calls import usage
from sallyport.vocab.clock import DAY

By = Literal["hour", "day", "site", "environment", "integration", "route", "scope"]

MOST_LINES = 2_000

_USAGE = usage.c
_TIMES = ("hour", "day")
_COLUMNS: dict[By, ColumnElement[Any]] = {
    "hour": _USAGE.hour,
    "day": _USAGE.hour - _USAGE.hour % DAY,
    "site": _USAGE.site_id,
    "environment": _USAGE.environment_id,
    "integration": _USAGE.client_id,
    "route": _USAGE.route_key,
    "scope": _USAGE.scopes,
}
_SEPARATOR = " "


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What is counted together. `hour` is its first millisecond; `scopes` are the route's."""

    hour: int
    site_id: str
    app_id: str
    environment_id: str
    client_id: str | None
    route_key: str | None
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Usage:
    """Calls, those of them that were refused and that failed (5xx), and what they cost."""

    calls: int = 0
    refused: int = 0
    failed: int = 0
    worker_us: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, other: Usage) -> None:
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COUNTED = tuple(each.name for each in fields(Usage))


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The usage of one `key`: the first millisecond of an hour or a day (UTC), a cloud id, an
    environment id, a client id, a route's key, a scope. None stands for calls that had none."""

    key: str | int | None
    usage: Usage


async def add_usage(tx: Tx, counted: Sequence[tuple[UsageKey, Usage]]) -> None:
    """Add to what is counted already. No key may come twice."""
    if not counted:
        return
    rows = sorted((_row(key, more) for key, more in counted), key=lambda row: str(row["digest"]))
    statement = insert_into(tx, usage).values(rows)
    sums = {name: _USAGE[name] + statement.excluded[name] for name in COUNTED}
    await tx.run(statement.on_conflict_do_update(index_elements=["digest"], set_=sums))


async def usage_by(
    reader: Reader,
    by: By,
    *,
    since: int,
    until: int,
    site_id: str | None = None,
    app_id: str | None = None,
    environment_id: str | None = None,
    client_id: str | None = None,
    route_key: str | None = None,
) -> tuple[UsageLine, ...]:
    """Usage of the hours that begin in `since` <= hour < `until`, in milliseconds.

    Hours and days come in order, all else with the most calls first; at most `MOST_LINES`. A call
    counts for each scope of its route.
    """
    column = _COLUMNS[by]
    wanted: list[ColumnElement[bool]] = [_USAGE.hour >= since, _USAGE.hour < until]
    for name, value in (
        ("site_id", site_id),
        ("app_id", app_id),
        ("environment_id", environment_id),
        ("client_id", client_id),
        ("route_key", route_key),
    ):
        if value is not None:
            wanted.append(_USAGE[name] == value)
    sums = [func.sum(_USAGE[name]).label(name) for name in COUNTED]
    rows = await reader.all(select(column.label("key"), *sums).where(*wanted).group_by(column))
    lines: dict[str | int | None, Usage] = {}
    for row in rows:
        found = Usage(*(int(getattr(row, name)) for name in COUNTED))
        keys = row.key.split(_SEPARATOR) if by == "scope" else [row.key]
        for key in keys:
            lines.setdefault(key or None, Usage()).add(found)
    ordered = sorted(
        (UsageLine(key, each) for key, each in lines.items()),
        key=lambda line: line.key if by in _TIMES else (-line.usage.calls, str(line.key)),  # type: ignore[arg-type,return-value]
    )
    return tuple(ordered[-MOST_LINES:] if by in _TIMES else ordered[:MOST_LINES])


def _row(key: UsageKey, counted: Usage) -> dict[str, Any]:
    scopes = _SEPARATOR.join(key.scopes)
    parts = (
        str(key.hour),
        key.site_id,
        key.environment_id,
        key.client_id or "",
        "" if key.route_key is None else f"/{key.route_key}",
        scopes,
    )
    return {
        "digest": hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        "hour": key.hour,
        "site_id": key.site_id,
        "app_id": key.app_id,
        "environment_id": key.environment_id,
        "client_id": key.client_id,
        "route_key": key.route_key,
        "scopes": scopes,
        **{name: getattr(counted, name) for name in COUNTED},
    }
