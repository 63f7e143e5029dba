"""The connection that verbs and queries see: asynchronous on PostgreSQL, at once on SQLite.

SQLite answers in microseconds what it takes longer to hand to another thread and back. So on SQLite
a whole verb runs in the database's own thread: its awaits are answered at once, and one hand-over
serves all of its statements. A verb may therefore await the database and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Dialect, Executable
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, StatementError

from sallyport.store.prepared import Prepared, Values

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
        self._dialect = conn.dialect
        # The driver's own, for what is prepared: the same connection, so the same transaction.
        self._cursor: Any = conn.connection.cursor()

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    async def execute(
        self, statement: Executable, parameters: Rows | None = None, /
    ) -> CursorResult[Any]:
        return self._conn.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[Any, ...] | None = None, /
    ) -> CursorResult[Any]:
        return self._conn.exec_driver_sql(statement, parameters)

    def first(self, prepared: Prepared, values: dict[str, Any]) -> Values | None:
        """The first row that a SELECT finds, None where there is none."""
        return self._ask(*prepared.for_driver(self._dialect, values))

    def every(self, prepared: Prepared, values: dict[str, Any]) -> list[Values]:
        """All rows that a SELECT finds."""
        return self._ask_all(*prepared.for_driver(self._dialect, values))

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        with self._conn.begin_nested():
            yield

    def _ask(self, text: str, given: Values) -> Values | None:
        rows = self._ask_all(text, given)
        return rows[0] if rows else None

    def _ask_all(self, text: str, given: Values) -> list[Values]:
        try:
            self._cursor.execute(text, given)
        except sqlite3.Error as error:
            raise self._raised(text, error) from error
        # A statement that is not read to its end would hold its place in the database.
        rows: list[Values] = self._cursor.fetchall()
        return rows

    def _raised(self, text: str, error: sqlite3.Error) -> StatementError:
        """What the driver raised, as SQLAlchemy would have raised it, less the values."""
        return DBAPIError.instance(
            text, None, error, sqlite3.Error, hide_parameters=True, dialect=self._dialect
        )


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
