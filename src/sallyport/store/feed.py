"""Following the change feed where other processes write to the same database.

The rows of the `change` table are the truth. They are read again and again, and at once when
another process says that there are new ones. Where they have not been read for `LEASE_S`, what is
held may be out of date and is not relied on (`Feed.fresh_until`). So who commits a change can be
sure even of a process that says nothing: `LEASE_S` later it uses nothing that it held before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import func, select

from sallyport.store.changes import LEASE_S, Change, Kind
from sallyport.store.engine import Reader, Store
from sallyport.store.schema import change

EVERY_S: Final = 0.5

_log = logging.getLogger(__name__)

Prepare = Callable[[Sequence[Change]], Awaitable[None]]


async def last_change(reader: Reader) -> int:
    """The number of the newest change; 0 where there is none."""
    return await reader.scalar(select(func.max(change.c.seq))) or 0


async def changes_after(reader: Reader, seq: int) -> tuple[tuple[int, Change], ...]:
    """What was committed after the change of this number, in commit order."""
    newer = select(change).where(change.c.seq > seq)
    rows = await reader.all(newer.order_by(change.c.seq))
    return tuple((row.seq, Change(Kind(row.kind), row.key, row.at)) for row in rows)


class Following:
    """Publishes what other processes committed to this one's followers.

    `prepare` gets the changes before followers do, for what cannot be done at once. What this
    process commits is published twice, which does no harm.
    """

    def __init__(self, store: Store, prepare: Prepare, *, every_s: float = EVERY_S) -> None:
        self._store = store
        self._prepare = prepare
        self._every_s = every_s
        self._seen = 0
        self._next: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow from here on. Nothing may be held before this returns."""
        started = time.monotonic()
        self._seen = await self._store.read_ahead(last_change)
        self._store.feed.fresh_until = started + LEASE_S
        self._task = asyncio.create_task(self._follow(), name="change-feed")

    async def catch_up(self) -> None:
        """When this returns, all that was committed before it was called has been published."""
        if self._next is None:
            self._next = asyncio.create_task(self._read(), name="change-feed-read")
        await asyncio.shield(self._next)

    async def close(self) -> None:
        """Follow no more; what is held lasts until its time is over."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        async with self._reading:
            # Whoever asks from now on asks for more than this read may see.
            self._next = None
            started = time.monotonic()
            found = await self._store.read_ahead(changes_after, self._seen)
            if found:
                changes = [each for _, each in found]
                await self._prepare(changes)
                self._store.feed.publish(changes)
                self._seen = found[-1][0]
            self._store.feed.fresh_until = started + LEASE_S

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.catch_up()
            except Exception:
                _log.exception("the change feed could not be read")
