"""What apps keep: the entries of each installation's key-value store.

Values are JSON text that the caller has checked. Keys are ordered by code point on either database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, delete, func, literal, select

from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.schema import installation, kv_entry


@dataclass(frozen=True, slots=True)
class KvEntry:
    """One key and the JSON text of its value; times in milliseconds since the epoch."""

    key: str
    value: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class KvPage:
    """Entries in the order of their keys, and whether others follow."""

    entries: tuple[KvEntry, ...]
    more: bool


async def set_entry(tx: Tx, installation_id: str, key: str, value: str) -> bool:
    """Write an entry, replacing what was; False where the installation is gone."""
    at = literal(tx.now, BigInteger)
    here = (
        select(installation.c.id, literal(key), literal(value), at, at)
        .where(installation.c.id == installation_id)
        # An uninstall waits for this write, or this write finds nothing to belong to.
        .with_for_update(read=True, key_share=True)
    )
    statement = insert_into(tx, kv_entry).from_select(
        ["installation_id", "key", "value", "created_at", "updated_at"], here
    )
    written = await tx.first(
        statement.on_conflict_do_update(
            index_elements=["installation_id", "key"],
            set_={
                "value": statement.excluded.value,
                "updated_at": statement.excluded.updated_at,
            },
        ).returning(kv_entry.c.key)
    )
    return written is not None


async def delete_entry(tx: Tx, installation_id: str, key: str) -> bool:
    """Forget an entry; False where there was none."""
    result = await tx.run(
        delete(kv_entry).where(kv_entry.c.installation_id == installation_id, kv_entry.c.key == key)
    )
    return result.rowcount == 1


async def entry_by_key(reader: Reader, installation_id: str, key: str) -> KvEntry | None:
    """One entry of an installation."""
    row = await reader.first(
        select(
            kv_entry.c.key, kv_entry.c.value, kv_entry.c.created_at, kv_entry.c.updated_at
        ).where(kv_entry.c.installation_id == installation_id, kv_entry.c.key == key)
    )
    return None if row is None else _entry(row)


async def entries_by_prefix(
    reader: Reader,
    installation_id: str,
    *,
    prefix: str,
    after: str | None,
    limit: int,
    most_characters: int,
) -> KvPage:
    """Up to `limit` entries whose keys begin with `prefix` and come after `after`.

    The page ends before its values pass `most_characters` together, but holds at least one entry.
    """
    conditions = [kv_entry.c.installation_id == installation_id]
    if prefix:
        conditions += [kv_entry.c.key >= prefix, kv_entry.c.key < _next_after(prefix)]
    if after is not None:
        conditions.append(kv_entry.c.key > after)
    sizes = await reader.all(
        select(kv_entry.c.key, func.length(kv_entry.c.value).label("size"))
        .where(*conditions)
        .order_by(kv_entry.c.key)
        .limit(limit + 1)
    )
    total = 0
    last = None
    for count, row in enumerate(sizes):
        total += row.size
        if count == limit or (count and total > most_characters):
            break
        last = row.key
    if last is None:
        return KvPage((), more=False)
    rows = await reader.all(
        select(kv_entry.c.key, kv_entry.c.value, kv_entry.c.created_at, kv_entry.c.updated_at)
        .where(*conditions, kv_entry.c.key <= last)
        .order_by(kv_entry.c.key)
        .limit(limit)
    )
    return KvPage(tuple(_entry(row) for row in rows), more=len(rows) < len(sizes))


def _entry(row: Row[Any]) -> KvEntry:
    return KvEntry(row.key, row.value, row.created_at, row.updated_at)


def _next_after(prefix: str) -> str:
    """The first text after every text that begins with `prefix`, in the order of code points."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
