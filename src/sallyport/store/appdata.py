"""What apps keep: the items of each installation's key-value store, and how they are written.

A *space* keeps keys apart: `PLAIN`, `SECRETS`, and one for each entity. Values are JSON text that
the caller has checked; secrets lie sealed. Keys are ordered by code point on either database. An
item whose time has come is not there for any verb or query, whenever its row is deleted.

Every write holds the installation's row of `kv_usage`: writes of one installation run one after
another, so a check holds until its transaction commits and the count of bytes is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, literal, or_, select, update

from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.running import running_version
from sallyport.store.schema import installation, kv_index, kv_index_state, kv_item, kv_usage

PLAIN = ""
SECRETS = "secret"

_ITEM = kv_item.c
_USAGE = kv_usage.c


@dataclass(frozen=True, slots=True)
class KvItem:
    """One key and the JSON text of its value; times in milliseconds since the epoch."""

    key: str
    value: str
    created_at: int
    updated_at: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where an item stands in one index of its entity."""

    index_id: str
    part: str
    place: str


Holds = Callable[[str | None], bool]
"""Whether a condition holds for an item's value; None where there is no item."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a value, replacing what was, unless `if_absent`."""

    space: str
    key: str
    value: str
    expires_at: int | None = None
    if_absent: bool = False
    index: tuple[IndexEntry, ...] = ()
    holds: Holds | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget a key; that it is not there is no failure."""

    space: str
    key: str
    holds: Holds | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, but let nothing else of the transaction happen unless it holds."""

    space: str
    key: str
    holds: Holds


Operation = Put | Remove | Check


@dataclass(frozen=True, slots=True)
class Schema:
    """The indexes of each entity's space, as the version with this id declares them.

    A write keeps the indexes that it knows; so it must know those of the version that runs.
    """

    version_id: str
    indexes: Mapping[str, Sequence[str]]


class InstallationGone(Exception):
    """There is no such installation any more."""


class KeyExists(Exception):
    """A key that was to be new is there."""


class ConditionFailed(Exception):
    """A condition of a transaction does not hold. `key` says of which."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class QuotaExceeded(Exception):
    """The installation would keep more bytes than it may."""


class VersionMoved(Exception):
    """Another version runs by now; what the caller knows of its indexes may be untrue."""


@dataclass(slots=True)
class Written:
    """What a put replaced, and what is there now."""

    before: KvItem | None
    after: KvItem | None = field(default=None)


async def write_items(
    tx: Tx,
    installation_id: str,
    operations: Sequence[Operation],
    *,
    most_bytes: int,
    schema: Schema | None = None,
) -> list[Written]:
    """Carry out all operations or, where one raises, none; keys must be distinct.

    `schema` is needed to write items of entities. Raises `InstallationGone`, `VersionMoved`,
    `KeyExists`, `ConditionFailed`, `QuotaExceeded`.
    """
    used = await hold_usage(tx, installation_id)
    if schema is not None:
        await _require_running(tx, installation_id, schema)
    found = [await _row(tx, installation_id, each.space, each.key) for each in operations]
    for each, row in zip(operations, found, strict=True):
        _require(tx, installation_id, each, row)
    results, added, more = [], 0, 0
    for each, row in zip(operations, found, strict=True):
        before = _alive(tx, installation_id, row)
        written = Written(before, before)
        if isinstance(each, Put):
            written.after, grown = await _put(tx, installation_id, each, row, before)
            added += grown
            more += row is None
        elif isinstance(each, Remove) and row is not None:
            await tx.run(delete(kv_item).where(*_at(installation_id, each.space, each.key)))
            added -= row.size
            more -= 1
            written.after = None
        results.append(written)
    if added > 0 and used + added > most_bytes:
        raise QuotaExceeded
    if added or more:
        await tx.run(
            update(kv_usage)
            .where(_USAGE.installation_id == installation_id)
            .values(bytes=_USAGE.bytes + added, entries=_USAGE.entries + more)
        )
    return results


async def write_each(
    tx: Tx,
    installation_id: str,
    operations: Sequence[Operation],
    *,
    most_bytes: int,
    schema: Schema | None = None,
) -> list[Exception | None]:
    """Carry out each operation by itself, in one commit; says of each what kept it from happening.

    Raises `InstallationGone` and `VersionMoved`.
    """
    failures: list[Exception | None] = []
    for each in operations:
        try:
            async with tx.conn.begin_nested():
                await write_items(tx, installation_id, [each], most_bytes=most_bytes, schema=schema)
        except (KeyExists, ConditionFailed, QuotaExceeded) as failure:
            failures.append(failure)
        else:
            failures.append(None)
    return failures


async def hold_usage(tx: Tx, installation_id: str) -> int:
    """Hold the installation's count of bytes and return it. Raises `InstallationGone`."""
    asked = select(_USAGE.bytes).where(_USAGE.installation_id == installation_id).with_for_update()
    row = await tx.first(asked)
    if row is None:
        # An uninstall waits for this row, or this row finds nothing to belong to.
        here = (
            select(installation.c.id, literal(0), literal(0))
            .where(installation.c.id == installation_id)
            .with_for_update(read=True, key_share=True)
        )
        await tx.run(
            insert_into(tx, kv_usage)
            .from_select(["installation_id", "bytes", "entries"], here)
            .on_conflict_do_nothing()
        )
        row = await tx.first(asked)
    if row is None:
        raise InstallationGone
    return int(row.bytes)


async def usage_of(reader: Reader, installation_id: str) -> tuple[int, int]:
    """How many bytes and how many items an installation keeps, expired ones until they go."""
    row = await reader.first(
        select(_USAGE.bytes, _USAGE.entries).where(_USAGE.installation_id == installation_id)
    )
    return (0, 0) if row is None else (int(row.bytes), int(row.entries))


async def item_by_key(reader: Reader, installation_id: str, space: str, key: str) -> KvItem | None:
    """One item of an installation."""
    return _alive(reader, installation_id, await _row(reader, installation_id, space, key))


async def items_by_key(
    reader: Reader, installation_id: str, keys: Sequence[tuple[str, str]]
) -> list[KvItem | None]:
    """The items under these (space, key), in their order."""
    return [await item_by_key(reader, installation_id, space, key) for space, key in keys]


async def purge_expired(tx: Tx, *, batch: int) -> int:
    """Delete up to `batch` items whose time has come; returns how many."""
    doomed = await tx.all(
        select(_ITEM.installation_id, _ITEM.space, _ITEM.key)
        .where(_ITEM.expires_at <= tx.now)
        .order_by(_ITEM.expires_at)
        .limit(batch)
    )
    gone = 0
    # In one order, so that two purges never wait for each other.
    for installation_id in sorted({row.installation_id for row in doomed}):
        try:
            await hold_usage(tx, installation_id)
        except InstallationGone:
            continue
        size = count = 0
        for row in doomed:
            if row.installation_id != installation_id:
                continue
            ended = await tx.all(
                delete(kv_item)
                .where(*_at(installation_id, row.space, row.key), _ITEM.expires_at <= tx.now)
                .returning(_ITEM.size)
            )
            size += sum(each.size for each in ended)
            count += len(ended)
        await tx.run(
            update(kv_usage)
            .where(_USAGE.installation_id == installation_id)
            .values(bytes=_USAGE.bytes - size, entries=_USAGE.entries - count)
        )
        gone += count
    return gone


def not_expired(now: int) -> ColumnElement[bool]:
    """The items that are there."""
    return or_(_ITEM.expires_at.is_(None), _ITEM.expires_at > now)


def opened(reader: Reader, installation_id: str, row: Row[Any]) -> KvItem:
    """An item from its row; a secret is opened."""
    value = row.value
    if value is None:
        value = reader.sealer.open(row.sealed, _purpose(installation_id, row.key)).decode()
    return KvItem(row.key, value, row.created_at, row.updated_at, row.expires_at)


def _require(tx: Tx, installation_id: str, each: Operation, row: Row[Any] | None) -> None:
    item = _alive(tx, installation_id, row)
    if isinstance(each, Put) and each.if_absent and item is not None:
        raise KeyExists
    if each.holds is not None and not each.holds(None if item is None else item.value):
        raise ConditionFailed(each.key)


async def _require_running(tx: Tx, installation_id: str, schema: Schema) -> None:
    running = await running_version(tx, installation_id)
    if running is None or running.version_id != schema.version_id:
        raise VersionMoved
    for space, declared in schema.indexes.items():
        # An index that this write will not keep has to be filled anew if it is declared again.
        await tx.run(
            delete(kv_index_state).where(
                kv_index_state.c.installation_id == installation_id,
                kv_index_state.c.space == space,
                kv_index_state.c.index_id.not_in(declared),
            )
        )


async def _put(
    tx: Tx, installation_id: str, put: Put, row: Row[Any] | None, before: KvItem | None
) -> tuple[KvItem, int]:
    value = put.value.encode()
    sealed = None
    if put.space == SECRETS:
        sealed = tx.sealer.seal(value, _purpose(installation_id, put.key))
    size = len(put.key.encode()) + len(value)
    created = tx.now if before is None else before.created_at
    columns = {
        "value": None if sealed is not None else put.value,
        "sealed": sealed,
        "size": size,
        "created_at": created,
        "updated_at": tx.now,
        "expires_at": put.expires_at,
    }
    where = _at(installation_id, put.space, put.key)
    if row is None:
        await tx.run(
            insert(kv_item).values(
                installation_id=installation_id, space=put.space, key=put.key, **columns
            )
        )
    else:
        await tx.run(update(kv_item).where(*where).values(**columns))
        if put.space not in (PLAIN, SECRETS):
            await tx.run(delete(kv_index).where(*_indexed_at(installation_id, put.space, put.key)))
    if put.index:
        await tx.conn.execute(
            insert(kv_index), index_rows(installation_id, put.space, put.key, put.index)
        )
    item = KvItem(put.key, put.value, created, tx.now, put.expires_at)
    return item, size - (0 if row is None else row.size)


def index_rows(
    installation_id: str, space: str, key: str, entries: Sequence[IndexEntry]
) -> list[dict[str, Any]]:
    """The rows of `kv_index` for one item."""
    return [
        {
            "installation_id": installation_id,
            "index_id": each.index_id,
            "part": each.part,
            "place": each.place,
            "space": space,
            "key": key,
        }
        for each in entries
    ]


async def _row(reader: Reader, installation_id: str, space: str, key: str) -> Row[Any] | None:
    return await reader.first(select(kv_item).where(*_at(installation_id, space, key)))


def _alive(reader: Reader, installation_id: str, row: Row[Any] | None) -> KvItem | None:
    if row is None or (row.expires_at is not None and row.expires_at <= reader.now):
        return None
    return opened(reader, installation_id, row)


def _at(installation_id: str, space: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return (_ITEM.installation_id == installation_id, _ITEM.space == space, _ITEM.key == key)


def _indexed_at(installation_id: str, space: str, key: str) -> tuple[ColumnElement[bool], ...]:
    c = kv_index.c
    return (c.installation_id == installation_id, c.space == space, c.key == key)


def _purpose(installation_id: str, key: str) -> str:
    return f"kvs:{installation_id}:{key}"
