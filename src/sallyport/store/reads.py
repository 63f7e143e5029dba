"""How queries run, each on one snapshot: in threads of the store's own on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from sallyport.store.connection import AtOnce, Connection, run_at_once

READERS = 4

T = TypeVar("T")


class Reads(Protocol):
    """Runs queries, each on one snapshot."""

    async def run(
        self, query: Callable[[Connection], Coroutine[Any, Any, T]], *, ahead: bool = False
    ) -> T:
        """Run a query; with `ahead` it waits for no other."""
        ...

    async def run_sync(self, work: Callable[[SyncConnection], T]) -> T:
        """Run synchronous work on a connection that commits."""
        ...

    async def close(self) -> None: ...


class SqliteReads:
    """Queries on SQLite, each in a thread of the store's own."""

    def __init__(self, reads: Engine, writes: Engine) -> None:
        self._reads = reads
        self._writes = writes
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="store-follower")

    async def run(
        self, query: Callable[[Connection], Coroutine[Any, Any, T]], *, ahead: bool = False
    ) -> T:
        return await self._in_thread(self._ask, query, self._ahead if ahead else self._threads)

    async def run_sync(self, work: Callable[[SyncConnection], T]) -> T:
        return await self._in_thread(self._change, work, self._threads)

    async def close(self) -> None:
        self._threads.shutdown()
        self._ahead.shutdown()
        self._reads.dispose()
        self._writes.dispose()

    async def _in_thread(
        self, run: Callable[[Any], T], work: Any, threads: ThreadPoolExecutor
    ) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, run, work)

    def _ask(self, query: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        with self._reads.connect() as conn:
            return run_at_once(query(AtOnce(conn)))

    def _change(self, work: Callable[[SyncConnection], T]) -> T:
        with self._writes.begin() as conn:
            return work(conn)


class PostgresqlReads:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

    async def run(
        self, query: Callable[[Connection], Coroutine[Any, Any, T]], *, ahead: bool = False
    ) -> T:
        async with self._snapshots.connect() as conn:
            return await query(conn)

    async def run_sync(self, work: Callable[[SyncConnection], T]) -> T:
        async with self._engine.begin() as conn:
            return await conn.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()
