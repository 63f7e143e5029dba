"""Holding a row, so that verbs that decide about its children run one after another.

PostgreSQL locks the row until the transaction ends; SQLite has one writer at a time anyway.
"""

from __future__ import annotations

from sqlalchemy import Table, select

from sallyport.store.engine import Tx


async def hold(tx: Tx, table: Table, key: str, *, to_delete: bool = False) -> bool:
    """Hold the row with this id; False where there is none.

    Others may still refer to a held row, unless it is held `to_delete`.
    """
    statement = select(table.c.id).where(table.c.id == key)
    return await tx.first(statement.with_for_update(key_share=not to_delete)) is not None
