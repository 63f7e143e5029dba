"""Buckets that several processes fill: each has all of them and tells the others what it took.

Until it has told them, they may let the same calls through once more. That is owed: a bucket gets
fuller than full and takes longer until there is room, so over time a quota is what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from sallyport.vocab.buckets import MOST_BUCKETS, Buckets, Key, Level, Quota, Standing, left_in


class Taken(NamedTuple):
    """So many `calls` taken of a quota of `most` in `window`, lately and until `at`.

    Below 0 where more were given back.
    """

    key: Key
    most: int
    window: int
    calls: int
    at: int


class SharedBuckets(Buckets):
    """`taken` is what to tell the other processes, `add` is for what they tell."""

    __slots__ = ("_taken",)

    depth: ClassVar = 2

    def __init__(self, bound: int = MOST_BUCKETS) -> None:
        super().__init__(bound)
        self._taken: dict[Key, Taken] = {}

    def charge(self, asked: Sequence[tuple[Key, Quota]], now: int) -> Standing:
        standing = super().charge(asked, now)
        if not standing.wait:
            self._note(asked, 1, now)
        return standing

    def give_back(self, asked: Sequence[tuple[Key, Quota]], now: int) -> None:
        super().give_back(asked, now)
        self._note(asked, -1, now)

    def taken(self) -> list[Taken]:
        """What was taken since this was last asked."""
        taken, self._taken = list(self._taken.values()), {}
        return taken

    def add(self, taken: Taken) -> None:
        """Take what another process has let through already, into debt if need be."""
        key, most, window, calls, at = taken
        level = self._levels.pop(key, None)
        full = self.depth * most * window
        weight = 0
        if level is not None:
            at = max(at, level.at)
            weight = left_in(level, most, full, at)
        weight = max(0, min(full, weight + calls * window))
        self._levels[key] = Level(weight, at, at + -(-weight // most))
        self.sweep(at)

    def levels(self) -> list[tuple[Key, int, int, int]]:
        """How full each bucket is, for a process that begins: `take_levels` takes them."""
        return [(key, *level) for key, level in self._levels.items()]

    def take_levels(self, levels: Iterable[tuple[Key, int, int, int]]) -> None:
        self._levels.update((key, Level(*level)) for key, *level in levels)

    def _note(self, asked: Sequence[tuple[Key, Quota]], calls: int, now: int) -> None:
        for key, quota in asked:
            before = self._taken.get(key)
            sum_of = calls if before is None else before.calls + calls
            self._taken[key] = Taken(key, quota.calls, quota.window, sum_of, now)
