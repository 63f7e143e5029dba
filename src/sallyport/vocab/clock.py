"""Time, passed in. All times are whole milliseconds since 1970-01-01 UTC; names end in `_at`.

Durations that must not jump with the wall clock use `time.monotonic` where they are measured.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Says what time it is, in milliseconds since the epoch."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves when it is told to; for tests of policy."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds


def iso(at: int) -> str:
    """`at` as RFC 3339 text in UTC, to the millisecond: 2026-11-23T19:05:40.123Z."""
    stamp = datetime.fromtimestamp(at / 1000, UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
