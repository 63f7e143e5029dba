"""Pace: how long calls took a worker, without what it and the platform waited for a processor.

By the clock alone calls of microseconds look slow on a busy machine. They would be given out one by
one, and cost the most when there is the least to spare. What was waited is the kernel's word.
"""

from __future__ import annotations

import os
from typing import NamedTuple


class Spent(NamedTuple):
    """What a thread did with its time, in microseconds: it ran, or it waited for a processor."""

    ran: int
    waited: int


class Thread:
    """One thread as `/proc/.../schedstat` tells of it; nothing is spent where it cannot be read."""

    def __init__(self, folder: str) -> None:
        self._last = (0, 0)
        try:
            self._file = os.open(f"{folder}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1
        self.since_last()

    def since_last(self) -> Spent:
        """What it has spent since this was asked last."""
        if self._file < 0:
            return Spent(0, 0)
        try:
            ran, waited, _ = map(int, os.pread(self._file, 100, 0).split())
        except (OSError, ValueError):
            return Spent(0, 0)
        before, self._last = self._last, (ran, waited)
        return Spent((ran - before[0]) // 1000, (waited - before[1]) // 1000)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Pace:
    """Of the calls of one worker, which run in one thread of it."""

    def __init__(self, worker: Thread, platform: Thread) -> None:
        self._worker = worker
        self._platform = platform

    def begin(self) -> None:
        """Calls were sent to the worker, which had none: the time before is not theirs."""
        self._platform.since_last()

    def of(self, elapsed_us: int) -> float:
        """How long the calls took that ran since then or since this was asked last, by the clock
        `elapsed_us`.

        Never less than the worker ran. While the platform waited it may also have slept, in a call:
        on a machine so busy a function that sleeps is taken for quicker than it is.
        """
        worker, platform = self._worker.since_last(), self._platform.since_last()
        return float(max(worker.ran, elapsed_us - worker.waited - platform.waited, 0))

    def close(self) -> None:
        self._worker.close()
        self._platform.close()
