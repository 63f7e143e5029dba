"""How the store is asked, and the shapes that it answers with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from sallyport_app import _platform

P = ParamSpec("P")
T = TypeVar("T")

METADATA = ["CREATED_AT", "UPDATED_AT", "EXPIRE_TIME"]


class KvsError(Exception):
    """The store refused. `code` is stable, such as `INVALID_KEY` or `MAX_SIZE`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Entry:
    """One key and its value; the times only where they were asked for, in milliseconds."""

    key: str
    value: Any
    created_at: int | None = None
    updated_at: int | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the order asked for; `cursor` asks for those that follow, None at the end."""

    entries: tuple[Entry, ...]
    cursor: str | None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a key, an attribute or what an index is ordered by."""

    name: str
    values: tuple[Any, ...]

    def on(self, attribute: str) -> dict[str, Any]:
        return {"property": attribute, **self.range()}

    def range(self) -> dict[str, Any]:
        return {"condition": self.name, "values": list(self.values)}


def ask(operation: str, body: Any) -> Any:
    """Ask the store for one operation. Raises `KvsError`."""
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise KvsError("INVALID_VALUE", f"The value is not JSON: {error}") from None
    try:
        status, reply = _platform.request("kvs", f"/api/v1/{operation}", text)
    except ValueError:
        raise KvsError("MAX_SIZE", "The request is too large") from None
    except _platform.Unavailable as error:
        raise KvsError("UNAVAILABLE", f"The store cannot be used: {error}") from None
    if status >= 400:
        raise KvsError(reply["code"], reply["message"])
    return reply


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something that blocks without blocking the loop."""
    # Most handlers are synchronous, and importing asyncio is a third of a cold start.
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)


def entry_of(found: Mapping[str, Any]) -> Entry:
    """An entry as the store answers with it."""
    expires = found.get("expireTime")
    return Entry(
        found["key"],
        found["value"],
        found.get("createdAt"),
        found.get("updatedAt"),
        None if expires is None else round(datetime.fromisoformat(expires).timestamp() * 1000),
    )


def page_of(found: Mapping[str, Any]) -> Page:
    """A page as the store answers with it."""
    return Page(tuple(entry_of(each) for each in found["data"]), found.get("cursor"))


def set_options(ttl: float | timedelta | None, if_absent: bool = False) -> dict[str, Any]:
    """The `options` of a set, empty where there are none."""
    options: dict[str, Any] = {}
    if ttl is not None:
        seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
        options["ttl"] = {"value": seconds, "unit": "SECONDS"}
    if if_absent:
        options["keyPolicy"] = "FAIL_IF_EXISTS"
    return {"options": options} if options else {}


def filters_of(conditions: Mapping[str, Condition], match: str) -> dict[str, Any]:
    """Conditions by attribute as the store takes them; `match` is `all` or `any`."""
    listed = [condition.on(attribute) for attribute, condition in conditions.items()]
    return {"or" if match == "any" else "and": listed}
