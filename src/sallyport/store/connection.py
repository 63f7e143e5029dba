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

from sallyport.store.answers import Answers
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
    """A synchronous connection whose awaits never wait.

    With `answers` it keeps those to questions that are asked alike; for the one that writes alone.
    """

    def __init__(self, conn: SyncConnection, answers: Answers | None = None) -> None:
        self._conn = conn
        self._dialect = conn.dialect
        self._answers = answers
        # The driver's own, for what is prepared: the same connection, so the same transaction.
        self._cursor: Any = conn.connection.cursor()

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    async def execute(
        self, statement: Executable, parameters: Rows | None = None, /
    ) -> CursorResult[Any]:
        if self._answers is not None:
            self._answers.ran(statement)
        return self._conn.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[Any, ...] | None = None, /
    ) -> CursorResult[Any]:
        self._forget()
        return self._conn.exec_driver_sql(statement, parameters)

    def run(self, prepared: Prepared, values: dict[str, Any]) -> int:
        """Execute what writes; how many rows it wrote."""
        if self._answers is not None:
            for table in prepared.tables:
                self._answers.wrote(table)
        text, given = prepared.for_driver(self._dialect, values)
        self._execute(text, given)
        count: int = self._cursor.rowcount
        return count

    def first(self, prepared: Prepared, values: dict[str, Any]) -> tuple[Any, ...] | None:
        """The first row that a SELECT finds, None where there is none."""
        text, given = prepared.for_driver(self._dialect, values)
        if self._answers is None or not prepared.is_shared:
            return self._ask(text, given)
        known = self._answers.to(prepared)
        if given not in known:
            known[given] = self._ask(text, given)
        return known[given]

    def _ask(self, text: str, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        self._execute(text, given)
        # A statement that is not read to its end would hold its place in the database.
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows[0] if rows else None

    def _execute(self, text: str, given: tuple[Any, ...]) -> None:
        try:
            self._cursor.execute(text, given)
        except sqlite3.Error as error:
            # As SQLAlchemy would have raised it, less the values.
            raise DBAPIError.instance(
                text, None, error, sqlite3.Error, hide_parameters=True, dialect=self._dialect
            ) from error

    def _forget(self) -> None:
        if self._answers is not None:
            self._answers.forget()

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        try:
            with self._conn.begin_nested():
                yield
        except BaseException:
            self._forget()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, by the driver alone, inside the one that SQLAlchemy knows of."""
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            if self._answers is not None:
                self._cursor.execute("PRAGMA data_version")
                self._answers.begin(self._cursor.fetchone())
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            self._forget()
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
            self._forget()
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
