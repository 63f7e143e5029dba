"""The connection that verbs and queries see: asynchronous on PostgreSQL, at once on SQLite.

SQLite answers in microseconds what it takes longer to hand to another thread and back. So on SQLite
a whole verb runs in the database's own thread: its awaits are answered at once, and one hand-over
serves all of its statements. A verb may therefore await the database and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Dialect, Executable
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError

from sallyport.store.prepared import Prepared

T = TypeVar("T")

Rows = Sequence[dict[str, Any]] | dict[str, Any]


class Connection(Protocol):
    """What a verb may do with a connection."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(
        self, statement: Executable, parameters: Rows | None = None, /
    ) -> CursorResult[Any]: ...

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[Any, ...] | None = None, /
    ) -> CursorResult[Any]:
        """Run a statement in the database's own words, with as many values as it has marks."""
        ...

    def begin_nested(self) -> AbstractAsyncContextManager[Any]:
        """A savepoint: what the block did is undone where it raises."""
        ...


class AtOnce:
    """A synchronous connection whose awaits never wait."""

    def __init__(self, conn: SyncConnection) -> None:
        self._conn = conn
        # The driver's own, for what is prepared: the same connection, so the same transaction.
        self._cursor: Any = conn.connection.cursor()

    @property
    def dialect(self) -> Dialect:
        return self._conn.dialect

    async def execute(
        self, statement: Executable, parameters: Rows | None = None, /
    ) -> CursorResult[Any]:
        return self._conn.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[Any, ...] | None = None, /
    ) -> CursorResult[Any]:
        return self._conn.exec_driver_sql(statement, parameters)

    def run(self, prepared: Prepared, values: dict[str, Any]) -> int:
        """Execute; how many rows it wrote."""
        self._execute(prepared, values)
        count: int = self._cursor.rowcount
        return count

    def first(self, prepared: Prepared, values: dict[str, Any]) -> tuple[Any, ...] | None:
        """The first row, None where there is none."""
        self._execute(prepared, values)
        row: tuple[Any, ...] | None = self._cursor.fetchone()
        # A statement that is not read to its end would hold its place in the database.
        self._cursor.fetchall()
        return row

    def _execute(self, prepared: Prepared, values: dict[str, Any]) -> None:
        text, by_position = prepared.for_driver(self._conn.dialect, values)
        try:
            self._cursor.execute(text, by_position)
        except sqlite3.Error as error:
            # As SQLAlchemy would have raised it, less the values.
            raise DBAPIError.instance(
                text, None, error, sqlite3.Error, hide_parameters=True, dialect=self._conn.dialect
            ) from error

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        with self._conn.begin_nested():
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, by the driver alone, inside the one that SQLAlchemy knows of."""
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            if self._cursor.connection.in_transaction:
                self._cursor.execute("ROLLBACK")
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """As `begin_nested`, by the driver alone, inside `transaction`."""
        if not self._cursor.connection.in_transaction:
            raise RuntimeError("the database gave the transaction up")
        self._cursor.execute("SAVEPOINT verb")
        try:
            yield
        except BaseException:
            self._cursor.execute("ROLLBACK TO verb")
            raise
        finally:
            self._cursor.execute("RELEASE verb")


def run_at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits an `AtOnce` alone.

    Raises `RuntimeError` where it awaits anything else, and whatever it raises itself.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a verb may await the database and nothing else")
