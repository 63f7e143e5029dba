"""Holding a row, so that verbs that decide about its children run one after another.

PostgreSQL locks the row until the transaction ends; SQLite has one writer at a time anyway.
"""

from __future__ import annotations

from sqlalchemy import Table, select

from sallyport.store import schema
from sallyport.store.engine import Tx
from sallyport.vocab.errors import Reason, Refused


async def hold(tx: Tx, table: Table, key: str, *, to_delete: bool = False) -> bool:
    """Hold the row with this id; False where there is none.

    Others may still refer to a held row, unless it is held `to_delete`.
    """
    statement = select(table.c.id).where(table.c.id == key)
    return await tx.first(statement.with_for_update(key_share=not to_delete)) is not None


async def hold_integration(tx: Tx, client_id: str) -> None:
    """Let nobody else change this integration, or consent to it, until the transaction ends.

    Raises `Refused` NOT_FOUND where there is none, or it was revoked.
    """
    row = await tx.first(
        select(schema.integration.c.client_id)
        .where(
            schema.integration.c.client_id == client_id, schema.integration.c.revoked_at.is_(None)
        )
        .with_for_update(key_share=True)
    )
    if row is None:
        raise no_such_integration()


def no_such_integration() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such integration among yours.",
        fix="Check the client id; a revoked integration cannot be changed.",
    )
