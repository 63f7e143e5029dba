"""How often something may be done: leaky buckets in bounded memory, and whom they count as one.

A quota is so many calls in a window: all at once if need be, then they come back evenly (GCRA).
Arithmetic is in whole numbers and time is passed in. What is lost when the process ends is how much
of the last window's quota was spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import ClassVar, NamedTuple

from sallyport.vocab.clock import MINUTE, SECOND

MOST_BUCKETS = 100_000

Key = tuple[str | None, ...]

_SWEPT_AT_ONCE = 4


class Quota(NamedTuple):
    """`calls` (at least 1) in `window` milliseconds; `name` is what callers are told."""

    name: str
    calls: int
    window: int = MINUTE


class Standing(NamedTuple):
    """How a caller stands after a call: the quotas that count, and the one with least left.

    `remaining` calls are left in `tightest`; in `reset` milliseconds it is whole again. `wait` is
    0 where the call may go on, else the milliseconds until one more may.
    """

    quotas: tuple[Quota, ...]
    tightest: Quota
    remaining: int
    reset: int
    wait: int


class Level(NamedTuple):
    """What a bucket held `at` some time; a call weighs a window's milliseconds.

    It loses `calls` a millisecond, so a full bucket of `calls` calls is empty after a window.
    """

    weight: int
    at: int
    empty_at: int


class Buckets:
    """One bucket for each key that was charged lately.

    Beyond `bound` the one that was charged longest ago is forgotten.
    """

    __slots__ = ("_bound", "_levels")

    # How many times full a bucket may get; more than once only by debts.
    depth: ClassVar = 1

    def __init__(self, bound: int = MOST_BUCKETS) -> None:
        self._bound = bound
        self._levels: dict[Key, Level] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def charge(self, asked: Sequence[tuple[Key, Quota]], now: int) -> Standing:
        """Take one call from every bucket, or from none where one of them is spent.

        `asked` is not empty and names no key twice. `now` in milliseconds; a clock that is set back
        makes nobody wait longer than a window.
        """
        levels = self._levels
        charged = []
        worst: tuple[Quota, int, int, int] | None = None
        for key, quota in asked:
            _, calls, window = quota
            full = calls * window
            level = levels.get(key)
            weight = left_in(level, calls, self.depth * full, now) if level is not None else 0
            over = weight + window - full
            if over <= 0:
                weight += window
                remaining, wait = (full - weight) // window, 0
            else:
                remaining, wait = 0, -(-over // calls)
            empties = -(-weight // calls)
            if worst is None or (
                wait > worst[3]
                if wait or worst[3]
                else remaining * worst[0].calls < worst[1] * calls
            ):
                worst = (quota, remaining, empties, wait)
            charged.append((key, Level(weight, now, now + empties)))
        assert worst is not None
        if worst[3] == 0:
            for key, level in charged:
                # Taken out and put in again, so that the order is that of the last charge.
                levels.pop(key, None)
                levels[key] = level
            self.sweep(now)
        return Standing(tuple([quota for _, quota in asked]), *worst)

    def give_back(self, asked: Sequence[tuple[Key, Quota]], now: int) -> None:
        """Take one call out of every bucket again: it does not count after all."""
        for key, quota in asked:
            level = self._levels.get(key)
            if level is None:
                continue
            full = self.depth * quota.calls * quota.window
            weight = max(0, left_in(level, quota.calls, full, now) - quota.window)
            empties = -(-weight // quota.calls)
            self._levels[key] = Level(weight, now, now + empties)

    def sweep(self, now: int) -> None:
        """Forget a few buckets that are empty, and any beyond the bound."""
        levels = self._levels
        for _ in range(_SWEPT_AT_ONCE):
            oldest = next(iter(levels))
            if levels[oldest].empty_at > now and len(levels) <= self._bound:
                return
            del levels[oldest]
            if not levels:
                return


def left_in(level: Level, calls: int, full: int, now: int) -> int:
    """What is left in a bucket of now `calls` calls, which may have been other than before."""
    drained = max(0, now - level.at) * calls
    return max(0, min(full, level.weight) - drained)


def a_minute(name: str, calls: int) -> Quota | None:
    """The quota of a setting: 0 is no limit."""
    return Quota(name, calls) if calls else None


def seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: `Retry-After` must not be too short."""
    return -(-milliseconds // SECOND)


def seconds_in_words(count: int) -> str:
    """`1 second`, `2 seconds`."""
    return f"{count} second" if count == 1 else f"{count} seconds"


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """Whom an address counts as: who has one IPv6 address has its whole /64, so that is one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, 64), strict=False))
