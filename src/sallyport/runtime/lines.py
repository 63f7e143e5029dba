"""Lines: what one worker writes, as lines in the logs of its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sallyport.runtime import frames
from sallyport.runtime.logs import LEVELS
from sallyport.runtime.nursery import Nursery
from sallyport.runtime.turns import Turn, Turns

# Our worker stops sending soon after the log is full; one that goes on is not ours any more.
_MOST_DROPPED_FRAMES: Final = 1000


class Lines:
    """Each line goes to the call that runs. `broken` is called when there are far too many.

    `heap_full` is what its language says on the raw output when it ends for want of memory;
    `heap_is_full` is whether it said so.
    """

    def __init__(
        self, turns: Turns, nursery: Nursery, heap_full: bytes | None, broken: Callable[[], None]
    ) -> None:
        self.heap_is_full = False
        self._turns = turns
        self._nursery = nursery
        self._heap_full = heap_full
        self._broken = broken

    def claim(self, turn: Turn) -> None:
        """What was written while the app was imported is the first call's."""
        lines, self._nursery.import_lines = self._nursery.import_lines, []
        for level, line in lines:
            turn.log.write(level, line)

    def take(self, payload: bytes) -> None:
        """A LOG frame's payload."""
        running = self._turns.speaker
        if running is None or not payload or payload[0] >= len(LEVELS):
            return
        running.log.write(LEVELS[payload[0]], payload[1 : frames.LARGEST_LOG_LINE + 1])
        if running.log.dropped > _MOST_DROPPED_FRAMES:
            self._broken()

    def take_raw(self, line: bytes) -> None:
        """A line of raw output."""
        if self._heap_full is not None and self._heap_full in line:
            self.heap_is_full = True
        running = self._turns.speaker
        if running is not None and not running.log.dropped:
            running.log.write("INFO", line)
