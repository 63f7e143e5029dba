"""Asking for items in an order: by key, or by an index of an entity.

An index row holds the digest of the partition's values and the range values written so that their
text sorts as they do (`capabilities.kvs_entities` writes both). Rows go with their item. An index
that a new version declares is filled from the items that are there, a batch at a time, by whoever
asks for it first; from that version on every write keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, select, tuple_

from sallyport.store.appdata import (
    IndexEntry,
    KvItem,
    VersionMoved,
    hold_usage,
    index_rows,
    not_expired,
    opened,
)
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.running import running_version
from sallyport.store.schema import kv_index, kv_index_state, kv_item

_ITEM = kv_item.c
_INDEX = kv_index.c
_STATE = kv_index_state.c

FILL_BATCH = 200

Place = Callable[[str, str], IndexEntry | None]
"""Key and JSON text of a value -> where it stands in an index; None where it is not in it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of texts: from `low` on (or beyond it), up to but without `high`; None is no end."""

    low: str | None = None
    high: str | None = None


@dataclass(frozen=True, slots=True)
class KvPage:
    """Items in the order asked for, where each stands (place, key), and whether others follow."""

    items: tuple[KvItem, ...]
    places: tuple[tuple[str, str], ...]
    more: bool


async def items_by_range(
    reader: Reader,
    installation_id: str,
    space: str,
    *,
    span: Span,
    after: str | None,
    descending: bool = False,
    limit: int,
    most_bytes: int,
) -> KvPage:
    """Up to `limit` items of a space in the order of their keys, within `span` and past `after`.

    The page ends before its items pass `most_bytes` together, but holds at least one.
    """
    key = _ITEM.key
    conditions = [
        _ITEM.installation_id == installation_id,
        _ITEM.space == space,
        not_expired(reader.now),
        *_within(key, span),
    ]
    if after is not None:
        conditions.append(key < after if descending else key > after)
    order = key.desc() if descending else key
    sizes = await reader.all(
        select(key, _ITEM.size).where(*conditions).order_by(order).limit(limit + 1)
    )
    keys = _first_of([(row.key, row.size) for row in sizes], limit, most_bytes)
    if not keys:
        return KvPage((), (), more=False)
    edge = key >= keys[-1] if descending else key <= keys[-1]
    rows = await reader.all(
        select(kv_item).where(*conditions, edge).order_by(order).limit(len(keys))
    )
    items = tuple(opened(reader, installation_id, row) for row in rows)
    return KvPage(items, tuple((each, each) for each in keys), more=len(keys) < len(sizes))


async def items_by_index(
    reader: Reader,
    installation_id: str,
    index_id: str,
    part: str,
    *,
    span: Span,
    after: tuple[str, str] | None,
    descending: bool,
    limit: int,
    most_bytes: int,
) -> KvPage:
    """Up to `limit` items of one partition of an index in the order of their range, then key."""
    conditions = [
        _INDEX.installation_id == installation_id,
        _INDEX.index_id == index_id,
        _INDEX.part == part,
        not_expired(reader.now),
        *_within(_INDEX.place, span),
    ]
    if after is not None:
        here = tuple_(_INDEX.place, _INDEX.key)
        conditions.append(here < after if descending else here > after)
    joined = kv_index.join(
        kv_item,
        and_(
            _ITEM.installation_id == _INDEX.installation_id,
            _ITEM.space == _INDEX.space,
            _ITEM.key == _INDEX.key,
        ),
    )
    order = (_INDEX.place.desc(), _INDEX.key.desc()) if descending else (_INDEX.place, _INDEX.key)
    found = await reader.all(
        select(_INDEX.place, _INDEX.key, _INDEX.space, _ITEM.size)
        .select_from(joined)
        .where(*conditions)
        .order_by(*order)
        .limit(limit + 1)
    )
    kept = _first_of([(row.key, row.size) for row in found], limit, most_bytes)
    if not kept:
        return KvPage((), (), more=False)
    rows = await reader.all(
        select(kv_item).where(
            _ITEM.installation_id == installation_id,
            _ITEM.space == found[0].space,
            _ITEM.key.in_(kept),
        )
    )
    by_key = {row.key: row for row in rows}
    items = tuple(opened(reader, installation_id, by_key[key]) for key in kept)
    places = tuple((row.place, row.key) for row in found[: len(kept)])
    return KvPage(items, places, more=len(kept) < len(found))


async def index_is_ready(reader: Reader, installation_id: str, index_id: str) -> bool:
    """Whether every item stands in the index."""
    ready = await reader.scalar(
        select(_STATE.ready).where(
            _STATE.installation_id == installation_id, _STATE.index_id == index_id
        )
    )
    return bool(ready)


async def fill_index(
    tx: Tx,
    installation_id: str,
    version_id: str,
    space: str,
    index_id: str,
    place: Place,
    declared: Sequence[str],
) -> bool:
    """Enter the next items into an index; True when all are in it.

    Indexes of the space that are not `declared` any more go. Raises `InstallationGone`, and
    `VersionMoved` where `version_id` does not run any more.
    """
    await hold_usage(tx, installation_id)
    running = await running_version(tx, installation_id)
    if running is None or running.version_id != version_id:
        raise VersionMoved
    state = await tx.first(
        select(_STATE.filled_to, _STATE.ready).where(
            _STATE.installation_id == installation_id, _STATE.index_id == index_id
        )
    )
    if state is not None and state.ready:
        return True
    if state is None:
        await _forget_undeclared(tx, installation_id, space, declared)
    conditions = [_ITEM.installation_id == installation_id, _ITEM.space == space]
    if state is not None and state.filled_to is not None:
        conditions.append(_ITEM.key > state.filled_to)
    rows = await tx.all(select(kv_item).where(*conditions).order_by(_ITEM.key).limit(FILL_BATCH))
    entered = []
    for row in rows:
        entry = place(row.key, row.value)
        if entry is not None:
            entered += index_rows(installation_id, space, row.key, [entry])
    if entered:
        # A write under this version may have entered an item already.
        await tx.run(insert_into(tx, kv_index).values(entered).on_conflict_do_nothing())
    ready = len(rows) < FILL_BATCH
    values = {"filled_to": rows[-1].key if rows else None, "ready": ready}
    await tx.run(
        insert_into(tx, kv_index_state)
        .values(installation_id=installation_id, index_id=index_id, space=space, **values)
        .on_conflict_do_update(index_elements=["installation_id", "index_id"], set_=values)
    )
    return ready


async def _forget_undeclared(
    tx: Tx, installation_id: str, space: str, declared: Sequence[str]
) -> None:
    # A write of an older version has not kept them, so they must be filled anew if they come back.
    for table in (kv_index, kv_index_state):
        c = table.c
        await tx.run(
            delete(table).where(
                c.installation_id == installation_id,
                c.space == space,
                c.index_id.not_in(declared),
            )
        )


def _within(column: ColumnElement[str], span: Span) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if span.low is not None:
        found.append(column >= span.low)
    if span.high is not None:
        found.append(column < span.high)
    return found


def _first_of(sizes: Sequence[tuple[str, int]], limit: int, most_bytes: int) -> list[str]:
    kept: list[str] = []
    total = 0
    for key, size in sizes:
        total += size
        if len(kept) == limit or (kept and total > most_bytes):
            break
        kept.append(key)
    return kept
