"""How writes commit: in groups on SQLite, each by itself on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sallyport.store.changes import Change, Feed
from sallyport.store.connection import Connection, run_at_once
from sallyport.store.group import GroupConnection, HeldRowsFailed

T = TypeVar("T")
Job = Callable[[Connection], Coroutine[Any, Any, tuple[T, list[Change]]]]

GROUP = 100
RETRIES = 8
_COMPETING = frozenset({"40001", "40P01"})


class Writer(Protocol):
    """Runs a job in one durable transaction, publishes its changes, returns its result."""

    async def run(self, job: Job[T]) -> T: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Waiting:
    job: Job[Any]
    future: asyncio.Future[Any]
    result: Any = None
    changes: list[Change] | None = None
    error: BaseException | None = None


class GroupWriter:
    """One writer that commits in groups (`group.py`).

    One disk flush serves every job that waits, and a job that fails undoes only itself. A group
    runs in the writer's own thread. Where other processes write too, `turn` waits there until it
    is this one's turn.
    """

    def __init__(
        self, engine: Engine, feed: Feed, turn: AbstractContextManager[object] | None = None
    ) -> None:
        self._engine = engine
        self._turn = turn or nullcontext()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._feed = feed
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._confirming: set[asyncio.Task[None]] = set()
        self._closed = False
        # Of the writer's thread alone.
        self._conn: GroupConnection | None = None

    async def run(self, job: Job[T]) -> T:
        if self._closed:
            raise RuntimeError("the store is closed")
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="store-writer")
        waiting = _Waiting(job, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            await self._queue.join()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._confirming)
        self._thread.submit(self._let_go)
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            group = [await self._queue.get()]
            # What the loop has at hand joins the group: a turn of it costs less than a flush.
            await asyncio.sleep(0)
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                await loop.run_in_executor(self._thread, self._commit, group)
            except Exception as error:
                for waiting in group:
                    waiting.error = waiting.error or error
            self._tell(group)
            for _ in group:
                self._queue.task_done()

    def _commit(self, group: list[_Waiting]) -> None:
        with self._turn:
            self._run_group(group)

    def _run_group(self, group: list[_Waiting]) -> None:
        conn = self._conn = self._conn or self._open()
        try:
            self._attempt(conn, group, holds=True)
        except HeldRowsFailed:
            self._attempt(conn, group, holds=False)

    def _attempt(self, conn: GroupConnection, group: list[_Waiting], *, holds: bool) -> None:
        with conn.transaction(holds=holds):
            for waiting in group:
                waiting.error = None
                conn.begin_verb()
                try:
                    waiting.result, waiting.changes = run_at_once(waiting.job(conn))
                except Exception as error:
                    waiting.error = error
                    conn.undo_verb()
                else:
                    conn.keep_verb()

    def _tell(self, group: list[_Waiting]) -> None:
        """Publish what changed. Who changed something waits until other processes know it too."""
        told = []
        for waiting in group:
            if waiting.error is None and waiting.changes:
                self._feed.publish(waiting.changes)
                if self._feed.confirm is not None:
                    told.append(waiting)
                    continue
            self._settle(waiting)
        if told:
            confirming = asyncio.create_task(self._settle_when_known(told))
            self._confirming.add(confirming)
            confirming.add_done_callback(self._confirming.discard)

    async def _settle_when_known(self, told: list[_Waiting]) -> None:
        assert self._feed.confirm is not None
        await self._feed.confirm()
        for waiting in told:
            self._settle(waiting)

    def _open(self) -> GroupConnection:
        """The writer's one connection. A group's transaction is begun and ended by the driver:

        SQLAlchemy would take longer over that than SQLite does. It sees one transaction all along.
        """
        conn = self._engine.connect()
        conn.begin()
        conn.connection.rollback()
        return GroupConnection(conn)

    def _let_go(self) -> None:
        if self._conn is not None:
            self._conn.close()

    def _settle(self, waiting: _Waiting) -> None:
        if waiting.future.done():
            return
        if waiting.error is not None:
            waiting.future.set_exception(waiting.error)
        else:
            waiting.future.set_result(waiting.result)


class DirectWriter:
    """Each job in its own transaction; one that loses to a competing one is run again."""

    def __init__(self, engine: AsyncEngine, feed: Feed) -> None:
        self._engine = engine
        self._feed = feed

    async def run(self, job: Job[T]) -> T:
        # A caller that goes away must not leave a commit whose changes nobody was told of.
        return await asyncio.shield(asyncio.ensure_future(self._run(job)))

    async def close(self) -> None:
        return None

    async def _run(self, job: Job[T]) -> T:
        for attempt in range(RETRIES):
            try:
                async with self._engine.begin() as conn:
                    result, changes = await job(conn)
            except DBAPIError as error:
                if attempt + 1 == RETRIES or not _competing(error):
                    raise
                continue
            self._feed.publish(changes)
            if changes and self._feed.confirm is not None:
                await self._feed.confirm()
            return result
        raise AssertionError("unreachable")


def _competing(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _COMPETING
