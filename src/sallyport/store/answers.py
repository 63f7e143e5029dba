"""What the writer's connection was told, for as long as the database would say the same again.

The verbs of a busy moment ask the same few questions: whether a client's secret lives, what stands
behind a grant. An answer is kept until this connection writes to a table that it was read from or
undoes anything, and until any other commits (`PRAGMA data_version`). Who asks gets what the
transaction would read, so nothing here can be stale, and no change of the feed is waited for.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, Insert, Select, Table, Update

from sallyport.store.prepared import Prepared

Row = tuple[Any, ...]

# Of one question; then all of its answers make room.
MOST = 1_000


class Answers:
    """Answers to prepared questions that many verbs ask alike. Of one connection, one thread."""

    def __init__(self) -> None:
        self._known: dict[Prepared, dict[Row, Row | None]] = {}
        self._read_from: dict[str, list[dict[Row, Row | None]]] = {}
        self._version: Row | None = None

    def to(self, question: Prepared) -> dict[Row, Row | None]:
        """What is known of a question, by its values; the caller adds what it is told."""
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = {}
            for table in question.tables:
                self._read_from.setdefault(table, []).append(known)
        elif len(known) >= MOST:
            known.clear()
        return known

    def begin(self, version: Row) -> None:
        """A transaction begins; `version` differs from the last if others committed since."""
        if version != self._version:
            self.forget()
            self._version = version

    def wrote(self, table: str) -> None:
        """Rows of this table were added or changed."""
        for known in self._read_from.get(table, ()):
            known.clear()

    def ran(self, statement: Executable) -> None:
        """A statement that was not prepared; one that deletes may reach other tables."""
        if isinstance(statement, Insert | Update) and isinstance(statement.table, Table):
            self.wrote(statement.table.name)
        elif not isinstance(statement, Select):
            self.forget()

    def forget(self) -> None:
        for known in self._known.values():
            known.clear()
