"""Statements of the hot paths: compiled once, and on SQLite run by its driver alone.

SQLAlchemy takes ten times as long over a small statement as SQLite does. What is prepared is still
written with SQLAlchemy Core, so that it is one statement for both databases. Its rows are plain
tuples of what the driver gives: on SQLite a Boolean is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Table, Update, bindparam, insert


class Prepared:
    """One statement with named parameters; those that it was built with keep their values."""

    def __init__(self, statement: Select[Any] | Update | Insert) -> None:
        self.statement = statement
        self._text = ""
        self._names: tuple[tuple[str, Any], ...] = ()

    def for_driver(self, dialect: Dialect, values: dict[str, Any]) -> tuple[str, list[Any]]:
        """Text and values by position, for the one dialect whose driver is asked directly."""
        if not self._text:
            compiled = self.statement.compile(dialect=dialect)
            built_with: Any = compiled.params
            order: Any = getattr(compiled, "positiontup", None)
            self._names = tuple((name, built_with[name]) for name in order or ())
            self._text = str(compiled)
        return self._text, [values.get(name, default) for name, default in self._names]


def prepared_insert(table: Table, columns: Iterable[str]) -> Prepared:
    """An INSERT of a row that gives these columns, each by its name."""
    return Prepared(insert(table).values({name: bindparam(name) for name in columns}))
