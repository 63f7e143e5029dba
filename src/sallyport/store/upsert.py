"""Inserts that give way to a row that is there already, on either database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from sallyport.store.engine import Tx


async def insert_unless_there(tx: Tx, table: Table, **values: Any) -> bool:
    """Insert a row; False where a row with the same key stands already, committed or first."""
    make = postgresql.insert if tx.conn.dialect.name == "postgresql" else sqlite.insert
    result = await tx.run(make(table).values(**values).on_conflict_do_nothing())
    return result.rowcount == 1
