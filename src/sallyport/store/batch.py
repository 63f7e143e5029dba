"""Rows that may wait a moment: gathered off the path and written together.

Bounded: beyond `bound` waiting rows new ones are dropped and counted, never the caller delayed.
A crash loses at most what waited, `WAIT` seconds' worth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sallyport.store.engine import Store, Tx

T = TypeVar("T")

WAIT = 0.2
SIZE = 500
BOUND = 20_000

_log = logging.getLogger(__name__)


class Batch(Generic[T]):
    """Writes what is added with `verb`, in order. Start it inside a running loop with `start`."""

    def __init__(
        self,
        store: Store,
        verb: Callable[[Tx, Sequence[T]], Awaitable[None]],
        *,
        bound: int = BOUND,
    ) -> None:
        self._store = store
        self._verb = verb
        self._bound = bound
        self._waiting: list[T] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.dropped = 0

    def add(self, row: T) -> None:
        if len(self._waiting) >= self._bound:
            self.dropped += 1
            return
        self._waiting.append(row)
        self._wake.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="batch-writer")

    async def flush(self) -> None:
        """Write everything that waits now."""
        while self._waiting:
            rows, self._waiting = self._waiting[:SIZE], self._waiting[SIZE:]
            try:
                await self._store.write(self._verb, rows)
            except Exception:
                self.dropped += len(rows)
                _log.exception("could not write %d rows", len(rows))

    async def close(self) -> None:
        """Write what waits and stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await asyncio.sleep(WAIT)
            await self.flush()
        await self.flush()
