"""Figures of the calls on record: how long they took, why they were refused, how many they are.

Records of denials are complete (except those beyond a rate limit), those of allowed calls may lack
some; usage (`store.usage`) has the exact counts. All are kept for a limited time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, case, func, literal, select

from sallyport.model.decision import Gate
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.vocab.clock import DAY, HOUR

Span = Literal["hour", "day", "all"]

_DECISION = schema.decision.c
_SPANS: dict[Span, ColumnElement[Any]] = {
    "hour": _DECISION.at - _DECISION.at % HOUR,
    "day": _DECISION.at - _DECISION.at % DAY,
    "all": literal(0),
}


@dataclass(frozen=True, slots=True)
class CallsOf:
    """Which calls to a site are asked about: those in `since` <= at < `until`, in milliseconds, and
    of these parties where they are not None."""

    site_id: str
    since: int
    until: int
    environment_id: str | None = None
    client_id: str | None = None
    route_key: str | None = None
    grant_id: str | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the allowed calls took that began in one hour or day, in microseconds.

    `at` is its first millisecond, 0 where all are taken together. Percentiles are of `calls`, by
    nearest rank.
    """

    at: int
    calls: int
    p50_us: int
    p95_us: int
    p99_us: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many calls one gate refused for one reason."""

    gate: Gate
    reason: str
    calls: int


async def latency_by(reader: Reader, span: Span, of: CallsOf) -> tuple[Latency, ...]:
    """How long allowed calls on record took, in the order of time; nothing of empty hours."""
    began = _SPANS[span]
    ranked = (
        select(
            began.label("began"),
            _DECISION.duration_us,
            func.row_number()
            .over(partition_by=began, order_by=_DECISION.duration_us)
            .label("place"),
            func.count().over(partition_by=began).label("calls"),
        )
        .where(*_which(of), _DECISION.gate.is_(None))
        .subquery()
    )

    def percentile(percent: int) -> ColumnElement[Any]:
        reached = ranked.c.place * 100 >= ranked.c.calls * percent
        return func.min(case((reached, ranked.c.duration_us)))

    rows = await reader.all(
        select(ranked.c.began, ranked.c.calls, percentile(50), percentile(95), percentile(99))
        .group_by(ranked.c.began, ranked.c.calls)
        .order_by(ranked.c.began)
    )
    return tuple(Latency(*map(int, row)) for row in rows)


async def refusals_by_reason(reader: Reader, of: CallsOf) -> tuple[Refusals, ...]:
    """What was refused, the most frequent reason first."""
    calls = func.count().label("calls")
    rows = await reader.all(
        select(_DECISION.gate, _DECISION.reason, calls)
        .where(*_which(of), _DECISION.gate.is_not(None))
        .group_by(_DECISION.gate, _DECISION.reason)
        .order_by(calls.desc(), _DECISION.reason)
    )
    return tuple(Refusals(cast(Gate, row.gate), row.reason or "", int(row.calls)) for row in rows)


async def count_calls(reader: Reader, of: CallsOf) -> int:
    """How many calls are on record, allowed and refused."""
    return int(await reader.scalar(select(func.count()).where(*_which(of))))


def _which(of: CallsOf) -> list[ColumnElement[bool]]:
    wanted = [
        _DECISION.site_id == of.site_id,
        _DECISION.at >= of.since,
        _DECISION.at < of.until,
    ]
    for name in ("environment_id", "client_id", "route_key", "grant_id", "account_id"):
        if (value := getattr(of, name)) is not None:
            wanted.append(_DECISION[name] == value)
    return wanted
