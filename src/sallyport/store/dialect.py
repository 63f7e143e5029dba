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
    # The two classes offer the same methods; the type names one of them.
    insert = sqlite.insert if reader.conn.dialect.name == "sqlite" else postgresql.insert
    statement = cast(postgresql.Insert, insert(table))
    # SQLAlchemy forgets how many rows an INSERT made, unless it is told not to.
    return statement.execution_options(preserve_rowcount=True)
