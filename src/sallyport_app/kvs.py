"""The key-value store of this installation: what an app keeps between calls.

    from sallyport_app import kvs

    kvs.set("employee:42", {"name": "Ada"})
    kvs.get("employee:42")                      # {'name': 'Ada'}
    for entry in kvs.query(prefix="employee:"):
        print(entry.key, entry.value)

Every installation has a store of its own: no key needs a tenant's name in it. The functions may be
called from any thread; in asynchronous code, `aget, aset, adelete, aquery` do the same without
blocking the loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from sallyport_app import _platform

__all__ = [
    "Entry",
    "KvsError",
    "Page",
    "adelete",
    "aget",
    "aquery",
    "aset",
    "delete",
    "get",
    "query",
    "set",
]


P = ParamSpec("P")
T = TypeVar("T")


class KvsError(Exception):
    """The store refused. `code` is stable, such as `INVALID_KEY` or `MAX_SIZE`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Entry:
    """One key and its value."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the order of their keys; `cursor` asks for those that follow, None at the end."""

    entries: tuple[Entry, ...]
    cursor: str | None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@overload
def get(key: str) -> Any | None: ...
@overload
def get(key: str, default: Any) -> Any: ...
def get(key: str, default: Any = None) -> Any:
    """The value of `key`, or `default` where there is none."""
    try:
        found = _ask("get", {"key": key})
    except KvsError as error:
        if error.code == "KEY_NOT_FOUND":
            return default
        raise
    return found["value"]


def set(key: str, value: Any) -> None:
    """Store a JSON value (up to 240 KiB, nested up to 31 deep) under `key`; replaces what was."""
    _ask("set", {"key": key, "value": value})


def delete(key: str) -> None:
    """Forget `key`. That it does not exist is no error."""
    _ask("delete", {"key": key})


def query(*, prefix: str = "", limit: int = 10, cursor: str | None = None) -> Page:
    """Up to `limit` (1 to 100) entries whose keys begin with `prefix`, in the order of their keys.

    A page of large values may be shorter than `limit` and still have a cursor.
    """
    body: dict[str, Any] = {"limit": limit}
    if prefix:
        body["where"] = [{"property": "key", "condition": "BEGINS_WITH", "values": [prefix]}]
    if cursor is not None:
        body["after"] = cursor
    found = _ask("query", body)
    entries = tuple(Entry(entry["key"], entry["value"]) for entry in found["data"])
    return Page(entries, found.get("cursor"))


async def aget(key: str, default: Any = None) -> Any:
    """As `get`."""
    return await _in_thread(get, key, default)


async def aset(key: str, value: Any) -> None:
    """As `set`."""
    await _in_thread(set, key, value)


async def adelete(key: str) -> None:
    """As `delete`."""
    await _in_thread(delete, key)


async def aquery(*, prefix: str = "", limit: int = 10, cursor: str | None = None) -> Page:
    """As `query`."""
    return await _in_thread(query, prefix=prefix, limit=limit, cursor=cursor)


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # Most handlers are synchronous, and importing asyncio is a third of a cold start.
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)


def _ask(operation: str, body: dict[str, Any]) -> Any:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise KvsError("INVALID_VALUE", f"The value is not JSON: {error}") from None
    try:
        status, reply = _platform.request("kvs", f"/api/v1/{operation}", text)
    except ValueError:
        raise KvsError("MAX_SIZE", "The value is larger than 240 KiB") from None
    except _platform.Unavailable as error:
        raise KvsError("UNAVAILABLE", f"The store cannot be used: {error}") from None
    if status >= 400:
        raise KvsError(reply["code"], reply["message"])
    return reply
