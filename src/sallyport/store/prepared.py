"""Statements of the hot paths: compiled once, and on SQLite run by its driver alone.

SQLAlchemy takes ten times as long over a small statement as SQLite does. What is prepared is still
written with SQLAlchemy Core, so that it is one statement for both databases. Its rows are plain
tuples of what the driver gives: on SQLite a Boolean is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Table, Update, bindparam, insert
from sqlalchemy.sql import visitors

Values = tuple[Any, ...]


class Prepared:
    """One statement with named parameters; those that it was built with keep their values.

    `is_shared`: many verbs ask it alike, so that its answer is worth keeping (`answers.py`).
    """

    def __init__(
        self, statement: Select[Any] | Update | Insert, *, is_shared: bool = False
    ) -> None:
        self.statement = statement
        self.is_shared = is_shared
        self.tables = _tables(statement)
        self.text = ""
        self._in_order: Callable[[dict[str, Any]], Values] = _nothing
        self._built_with: dict[str, Any] = {}

    def for_driver(self, dialect: Dialect, values: dict[str, Any]) -> tuple[str, Values]:
        """Text and values by position, for the one dialect whose driver is asked directly.

        Raises `KeyError` where a value is missing.
        """
        if not self.text:
            self._compile(dialect)
        if self._built_with:
            values = {**self._built_with, **values}
        return self.text, self._in_order(values)

    def _compile(self, dialect: Dialect) -> None:
        compiled: Any = self.statement.compile(dialect=dialect)
        names: list[str] = compiled.positiontup or []
        given = {bound.key for bound in compiled.binds.values() if bound.required}
        self._built_with = {name: compiled.params[name] for name in names if name not in given}
        if len(names) == 1:
            self._in_order = lambda values: (values[names[0]],)
        elif names:
            self._in_order = itemgetter(*names)
        self.text = str(compiled)


def prepared_insert(table: Table, columns: Iterable[str]) -> Prepared:
    """An INSERT of a row that gives these columns, each by its name."""
    return Prepared(insert(table).values({name: bindparam(name) for name in columns}))


def _tables(statement: Select[Any] | Update | Insert) -> frozenset[str]:
    """The names of the tables that it reads or writes."""
    inside = visitors.iterate(statement) if isinstance(statement, Select) else (statement.table,)
    return frozenset(each.name for each in inside if isinstance(each, Table))


def _nothing(_values: dict[str, Any]) -> Values:
    return ()
