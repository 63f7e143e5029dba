"""The key-value store of this installation: what an app keeps between calls.

    from sallyport_app import kvs

    kvs.set("employee:42", {"name": "Ada"})
    kvs.get("employee:42")                      # {'name': 'Ada'}
    for entry in kvs.query(prefix="employee:"):
        print(entry.key, entry.value)

    kvs.set("session:7", {}, ttl=3600)          # gone in an hour
    kvs.set("lock", True, if_absent=True)       # False where there was one
    kvs.secret.set("api-token", "...")          # sealed at rest

    employees = kvs.entity("employee")          # declared in the manifest, with indexes
    employees.query("by-age", where=kvs.greater_than(30))

    with kvs.transaction() as t:                # all or nothing
        t.check("ada", {"active": kvs.equal_to(True)}, entity="employee")
        t.set("count", 1)

    kvs.batch.set({"a": 1, "b": 2})             # up to 25 keys, each for itself

Every installation has a store of its own: no key needs a tenant's name in it. The functions may be
called from any thread; in asynchronous code those that begin with `a` do the same without blocking
the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, overload

from sallyport_app._kvs_ask import (
    Condition,
    Entry,
    KvsError,
    Page,
    ask,
    in_thread,
    page_of,
)
from sallyport_app._kvs_spaces import (
    Batch,
    BatchResult,
    EntitySpace,
    Space,
    Transaction,
    Ttl,
)

__all__ = [
    "BatchResult",
    "Condition",
    "EntitySpace",
    "Entry",
    "KvsError",
    "Page",
    "Space",
    "Transaction",
    "adelete",
    "aentry",
    "aget",
    "all",
    "aquery",
    "areplace",
    "aset",
    "at_least",
    "at_most",
    "batch",
    "begins_with",
    "between",
    "contains",
    "delete",
    "entity",
    "entry",
    "equal_to",
    "exists",
    "get",
    "greater_than",
    "less_than",
    "not_contains",
    "not_equal_to",
    "not_exists",
    "query",
    "replace",
    "secret",
    "set",
    "transaction",
]

_plain: Final = Space()

secret: Final = Space("secret/")
"""Values that lie encrypted; apart from all others, and in no query."""

batch: Final = Batch()
"""Up to 25 keys at once."""


@overload
def get(key: str) -> Any | None: ...
@overload
def get(key: str, default: Any) -> Any: ...
def get(key: str, default: Any = None) -> Any:
    """The value of `key`, or `default` where there is none."""
    return _plain.get(key, default)


def entry(key: str) -> Entry | None:
    """The value with when it was made, changed, and when it goes; None where there is none."""
    return _plain.entry(key)


def set(key: str, value: Any, *, ttl: Ttl = None, if_absent: bool = False) -> bool:
    """Store a JSON value (up to 240 KiB, nested up to 31 deep) under `key`; replaces what was.

    `ttl` is how long it stays, in seconds or as a timedelta, at most a year; without it, it stays.
    With `if_absent` nothing is replaced: False where there was a value already.
    """
    return _plain.set(key, value, ttl=ttl, if_absent=if_absent)


def replace(key: str, value: Any, *, ttl: Ttl = None) -> Entry | None:
    """As `set`; returns what was there before, None where nothing was."""
    return _plain.replace(key, value, ttl=ttl)


def delete(key: str) -> None:
    """Forget `key`. That it does not exist is no error."""
    _plain.delete(key)


def query(*, prefix: str = "", limit: int = 10, cursor: str | None = None) -> Page:
    """Up to `limit` (1 to 100) entries whose keys begin with `prefix`, in the order of their keys.

    A page of large values may be shorter than `limit` and still have a cursor.
    """
    body: dict[str, Any] = {"limit": limit}
    if prefix:
        body["where"] = [begins_with(prefix).on("key")]
    if cursor is not None:
        body["after"] = cursor
    return page_of(ask("query", body))


def all(*, prefix: str = "") -> Iterator[Entry]:
    """Every entry whose key begins with `prefix`, page after page."""
    cursor = None
    while True:
        page = query(prefix=prefix, limit=100, cursor=cursor)
        yield from page
        if page.cursor is None:
            return
        cursor = page.cursor


def entity(name: str) -> EntitySpace:
    """The items of an entity that the manifest declares."""
    return EntitySpace(name)


def transaction() -> Transaction:
    """Operations that are done together or not at all."""
    return Transaction()


async def aget(key: str, default: Any = None) -> Any:
    """As `get`."""
    return await _plain.aget(key, default)


async def aentry(key: str) -> Entry | None:
    """As `entry`."""
    return await _plain.aentry(key)


async def aset(key: str, value: Any, *, ttl: Ttl = None, if_absent: bool = False) -> bool:
    """As `set`."""
    return await _plain.aset(key, value, ttl=ttl, if_absent=if_absent)


async def areplace(key: str, value: Any, *, ttl: Ttl = None) -> Entry | None:
    """As `replace`."""
    return await _plain.areplace(key, value, ttl=ttl)


async def adelete(key: str) -> None:
    """As `delete`."""
    await _plain.adelete(key)


async def aquery(*, prefix: str = "", limit: int = 10, cursor: str | None = None) -> Page:
    """As `query`."""
    return await in_thread(query, prefix=prefix, limit=limit, cursor=cursor)


# ---- conditions


def equal_to(value: str | float | bool) -> Condition:
    return Condition("EQUAL_TO", (value,))


def not_equal_to(value: str | float | bool) -> Condition:
    """Holds for what lacks the attribute, too; only in filters and transactions."""
    return Condition("NOT_EQUAL_TO", (value,))


def greater_than(value: str | float) -> Condition:
    return Condition("GREATER_THAN", (value,))


def at_least(value: str | float) -> Condition:
    return Condition("GREATER_THAN_EQUAL_TO", (value,))


def less_than(value: str | float) -> Condition:
    return Condition("LESS_THAN", (value,))


def at_most(value: str | float) -> Condition:
    return Condition("LESS_THAN_EQUAL_TO", (value,))


def between(first: str | float, last: str | float) -> Condition:
    """From `first` to `last`, both included."""
    return Condition("BETWEEN", (first, last))


def begins_with(text: str) -> Condition:
    return Condition("BEGINS_WITH", (text,))


def contains(text: str) -> Condition:
    """A text holds `text`, or a list has it; only in filters and transactions."""
    return Condition("CONTAINS", (text,))


def not_contains(text: str) -> Condition:
    """The opposite of `contains`; only in filters and transactions."""
    return Condition("NOT_CONTAINS", (text,))


def exists() -> Condition:
    """The attribute is there; only in filters and transactions."""
    return Condition("EXISTS", (True,))


def not_exists() -> Condition:
    """The attribute is not there; only in filters and transactions."""
    return Condition("NOT_EXISTS", (True,))
