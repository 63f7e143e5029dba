"""The writer's connection on SQLite: a group of verbs in one transaction, each as if alone.

Three things make a verb of a group cheap. A savepoint is set before its first statement that
writes, so one that only asks or refuses has none. Rows that it adds at its end are held until the
group's, and then written by one statement for all of its verbs; whoever reads one of their tables
before that, or writes anything, has them written first. And what many verbs ask alike is asked once
(`answers.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Executable, Select
from sqlalchemy.engine import CursorResult

from sallyport.store.answers import Answers
from sallyport.store.connection import AtOnce, Rows
from sallyport.store.prepared import Prepared, Values
from sallyport.store.schema import metadata

NewRows = dict[Prepared, list[dict[str, Any]]]
"""Rows by the INSERT that writes them."""

_PARENTS_FIRST = {table.name: at for at, table in enumerate(metadata.sorted_tables)}


class HeldRowsFailed(Exception):
    """Rows of some verb of the group could not be written; of which one is not known."""


class GroupConnection(AtOnce):
    """One transaction after another; in each, one verb after another. Of one thread at a time."""

    def __init__(self, conn: SyncConnection) -> None:
        super().__init__(conn)
        self._answers = Answers()
        self._held: NewRows = {}
        self._held_in: set[str] = set()
        self._has_savepoint = False
        self._failed = False
        self._holds = True

    # ---- the group

    @contextmanager
    def transaction(self, *, holds: bool) -> Iterator[None]:
        """One transaction, by the driver alone, inside the one that SQLAlchemy knows of.

        Where it does not hold rows, each verb's are its own to fail by. Raises `HeldRowsFailed`,
        and whatever the database does; then nothing of the group was done.
        """
        self._holds, self._failed = holds, False
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            self._cursor.execute("PRAGMA data_version")
            self._answers.begin(self._cursor.fetchone())
            yield
            self._write_held()
            self._cursor.execute("COMMIT")
        except BaseException:
            self._forget()
            if self._cursor.connection.in_transaction:
                self._cursor.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._conn.close()

    def begin_verb(self) -> None:
        if not self._cursor.connection.in_transaction:
            raise RuntimeError("the database gave the transaction up")
        self._has_savepoint = False

    def keep_verb(self) -> None:
        """What the verb did is to be committed with the group."""
        if self._failed:
            raise HeldRowsFailed
        if self._has_savepoint:
            self._cursor.execute("RELEASE verb")

    def undo_verb(self) -> None:
        """Nothing of what the verb did was done."""
        if self._failed:
            raise HeldRowsFailed
        if self._has_savepoint:
            self._answers.forget()
            self._cursor.execute("ROLLBACK TO verb")
            self._cursor.execute("RELEASE verb")

    # ---- the verb

    async def execute(
        self, statement: Executable, parameters: Rows | None = None, /
    ) -> CursorResult[Any]:
        if isinstance(statement, Select):
            self._write_held()
        else:
            self._before_writing()
            self._answers.ran(statement)
        return self._conn.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[Any, ...] | None = None, /
    ) -> CursorResult[Any]:
        self._before_writing()
        self._answers.forget()
        return self._conn.exec_driver_sql(statement, parameters)

    def first(self, prepared: Prepared, values: dict[str, Any]) -> Values | None:
        """The first row that a SELECT finds, None where there is none."""
        if not prepared.tables.isdisjoint(self._held_in):
            self._write_held()
        text, given = prepared.for_driver(self._dialect, values)
        if not prepared.is_shared:
            return self._ask(text, given)
        known = self._answers.to(prepared)
        if given not in known:
            known[given] = self._ask(text, given)
        return known[given]

    def every(self, prepared: Prepared, values: dict[str, Any]) -> list[Values]:
        """All rows that a SELECT finds."""
        if not prepared.tables.isdisjoint(self._held_in):
            self._write_held()
        return self._ask_all(*prepared.for_driver(self._dialect, values))

    def run(self, prepared: Prepared, values: dict[str, Any]) -> int:
        """Execute what writes; how many rows it wrote."""
        text, given = prepared.for_driver(self._dialect, values)
        self._before_writing()
        self._wrote(prepared)
        try:
            self._cursor.execute(text, given)
        except sqlite3.Error as error:
            raise self._raised(text, error) from error
        count: int = self._cursor.rowcount
        return count

    def add(self, rows: NewRows) -> None:
        """Write the rows of a verb that does nothing after that."""
        if not self._holds:
            for prepared, each in rows.items():
                for values in each:
                    self.run(prepared, values)
            return
        for prepared, each in rows.items():
            self._held.setdefault(prepared, []).extend(each)
            self._held_in |= prepared.tables

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        self._before_writing()
        try:
            with self._conn.begin_nested():
                yield
        except BaseException:
            self._answers.forget()
            raise

    def _before_writing(self) -> None:
        """Nothing of other verbs may come between the savepoint and what it is to undo."""
        if not self._has_savepoint:
            self._write_held()
            self._cursor.execute("SAVEPOINT verb")
            self._has_savepoint = True

    def _write_held(self) -> None:
        """Raises `HeldRowsFailed`; a verb that goes on all the same is not kept."""
        if not self._held:
            return
        held, self._held = self._held, {}
        self._held_in.clear()
        try:
            for prepared in sorted(held, key=_parents_first):
                self._wrote(prepared)
                rows = [prepared.for_driver(self._dialect, each)[1] for each in held[prepared]]
                self._cursor.executemany(prepared.text, rows)
        except Exception as error:
            self._failed = True
            raise HeldRowsFailed from error

    def _wrote(self, prepared: Prepared) -> None:
        for table in prepared.tables:
            self._answers.wrote(table)

    def _forget(self) -> None:
        self._answers.forget()
        self._held.clear()
        self._held_in.clear()


def _parents_first(insert: Prepared) -> int:
    (table,) = insert.tables
    return _PARENTS_FIRST[table]
