"""Queries: pages of items by key or by an index, and the cursors that ask for the next page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from sallyport.capabilities.kvs_conditions import Range, key_span, matcher_of
from sallyport.capabilities.kvs_entities import BY_KEY, Index, Kind, index_span
from sallyport.capabilities.kvs_requests import EntityQueryRequest, QueryRequest, limit_of
from sallyport.capabilities.kvs_values import check_key, refused
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.store import appindex
from sallyport.store.appdata import PLAIN, KvItem
from sallyport.store.appindex import KvPage, Span
from sallyport.store.engine import Store
from sallyport.vocab.clock import iso

# A page is one reply; what does not fit is on the next page.
LARGEST_PAGE: Final = 4 * 1024 * 1024
# Filters are tried on items one by one: a query looks at so many and then returns what it found.
MOST_TRIED: Final = 1_000
MOST_AT_ONCE: Final = 100


def public(item: KvItem, fields: Sequence[str] | None) -> dict[str, Any]:
    """An item as replies show it; `fields` are the metadata that were asked for."""
    shown: dict[str, Any] = {"key": item.key, "value": msgspec.Raw(item.value.encode())}
    for field in fields or ():
        if field == "CREATED_AT":
            shown["createdAt"] = item.created_at
        elif field == "UPDATED_AT":
            shown["updatedAt"] = item.updated_at
        elif item.expires_at is not None:
            shown["expireTime"] = iso(item.expires_at)
    return shown


async def by_key(store: Store, installation_id: str, request: QueryRequest) -> Any:
    """Plain items in the order of their keys. Raises `CapabilityRefused`."""
    limit = limit_of(request.limit)
    after = None if request.after is None else check_key(_read_cursor(request.after, PLAIN)[1])
    page = await store.read(
        appindex.items_by_range,
        installation_id,
        PLAIN,
        span=_prefix(request),
        after=after,
        limit=limit,
        most_bytes=LARGEST_PAGE,
    )
    return _page(page, PLAIN, request.options.metadata_fields if request.options else None)


async def by_index(
    store: Store,
    installation_id: str,
    version_id: str,
    kind: Kind,
    request: EntityQueryRequest,
) -> Any:
    """Items of an entity in the order of an index. Raises `CapabilityRefused`, `VersionMoved`."""
    limit = limit_of(request.limit)
    holds = None if request.filters is None else matcher_of(request.filters)
    fields = request.metadata_fields
    if request.options is not None:
        fields = request.options.metadata_fields
    descending = request.sort == "DESC"
    if request.index_name == BY_KEY:
        if request.partition:
            raise refused("INVALID_PARTITION", f"The index {BY_KEY} has no partition")
        name = kind.space
        span = Span() if request.range is None else key_span(request.range)

        async def read(after: tuple[str, str] | None, many: int) -> KvPage:
            return await store.read(
                appindex.items_by_range,
                installation_id,
                kind.space,
                span=span,
                after=None if after is None else after[1],
                descending=descending,
                limit=many,
                most_bytes=LARGEST_PAGE,
            )

    else:
        index = kind.indexes.get(request.index_name)
        if index is None:
            raise refused("INVALID_INDEX", f"There is no index {request.index_name[:60]!r}")
        part, span, name = index.part(request.partition), index_span(request.range), index.id
        await _fill(store, installation_id, version_id, kind, index)

        async def read(after: tuple[str, str] | None, many: int) -> KvPage:
            return await store.read(
                appindex.items_by_index,
                installation_id,
                name,
                part,
                span=span,
                after=after,
                descending=descending,
                limit=many,
                most_bytes=LARGEST_PAGE,
            )

    after = None if request.cursor is None else _read_cursor(request.cursor, name)
    if holds is not None:
        return await _filtered(read, after, limit, holds, name, fields)
    return _page(await read(after, limit), name, fields)


async def _filtered(
    read: Callable[[tuple[str, str] | None, int], Any],
    after: tuple[str, str] | None,
    limit: int,
    holds: Callable[[dict[str, Any]], bool],
    name: str,
    fields: Sequence[str] | None,
) -> Any:
    found: list[KvItem] = []
    size = tried = 0
    while True:
        page = await read(after, MOST_AT_ONCE)
        for number, (item, place) in enumerate(zip(page.items, page.places, strict=True), 1):
            tried, after = tried + 1, place
            decoded = msgspec.json.decode(item.value)
            if isinstance(decoded, dict) and holds(decoded):
                found.append(item)
                size += len(item.value)
            if len(found) == limit or size > LARGEST_PAGE or tried == MOST_TRIED:
                more = page.more or number < len(page.items)
                return _answer(found, fields, _cursor(name, place) if more else None)
        if not page.more:
            return _answer(found, fields, None)


async def _fill(
    store: Store, installation_id: str, version_id: str, kind: Kind, index: Index
) -> None:
    if await store.read(appindex.index_is_ready, installation_id, index.id):
        return
    ready = False
    while not ready:
        ready = await store.write(
            appindex.fill_index,
            installation_id,
            version_id,
            kind.space,
            index.id,
            index.place,
            kind.index_ids,
        )


def _prefix(request: QueryRequest) -> Span:
    """The keys that a query asks for: at most one condition, BEGINS_WITH on the key."""
    where = request.where or []
    if not where:
        return Span()
    if len(where) > 1:
        raise refused("QUERY_WHERE_INVALID", "A query has at most one condition")
    (condition,) = where
    if condition.property != "key":
        raise refused("QUERY_WHERE_FIELD_INVALID", "Only 'key' can be queried")
    if condition.condition != "BEGINS_WITH":
        raise refused("INVALID_FILTER_CONDITION", "The only condition is BEGINS_WITH")
    return key_span(Range(condition.condition, condition.values))


def _page(page: KvPage, name: str, fields: Sequence[str] | None) -> Any:
    return _answer(page.items, fields, _cursor(name, page.places[-1]) if page.more else None)


def _answer(items: Sequence[KvItem], fields: Sequence[str] | None, cursor: str | None) -> Any:
    found: dict[str, Any] = {"data": [public(item, fields) for item in items]}
    if cursor is not None:
        found["cursor"] = cursor
    return found


def _cursor(name: str, last: tuple[str, str]) -> str:
    packed = msgspec.json.encode([name, *last])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _read_cursor(cursor: str, name: str) -> tuple[str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        of, place, key = msgspec.json.decode(packed, type=tuple[str, str, str])
        if of != name or "\0" in place:
            raise ValueError
        return place, check_key(key)
    except (binascii.Error, ValueError, msgspec.DecodeError, CapabilityRefused):
        raise refused("INVALID_CURSOR", "The cursor is none that this query returned") from None
