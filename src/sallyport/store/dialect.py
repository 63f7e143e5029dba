"""What SQLite and PostgreSQL both say, where SQLAlchemy's common core does not."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from sallyport.store.engine import Reader


def insert_into(reader: Reader, table: Table) -> postgresql.Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`.

    `.rowcount` of the first is 0 where the row was there already, whoever wrote it.
    """
    if reader.conn.dialect.name == "sqlite":
        # The two classes offer the same methods; the type names one of them.
        return cast(postgresql.Insert, sqlite.insert(table))
    return postgresql.insert(table)
