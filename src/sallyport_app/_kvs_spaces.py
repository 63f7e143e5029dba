"""Secrets, entities, batches and transactions of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, Self

from sallyport_app._kvs_ask import (
    METADATA,
    Condition,
    Entry,
    KvsError,
    Page,
    ask,
    entry_of,
    filters_of,
    in_thread,
    page_of,
    set_options,
)

Ttl = float | timedelta | None


class Space:
    """Keys apart from all others: get, set and delete as of the plain store."""

    __slots__ = ("_more", "_path")

    def __init__(self, path: str = "", **more: str) -> None:
        self._path = path
        self._more = more

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default` where there is none."""
        found = self._find({"key": key})
        return default if found is None else found["value"]

    def entry(self, key: str) -> Entry | None:
        """The value with its times; None where there is none."""
        found = self._find({"key": key, "options": {"metadataFields": METADATA}})
        return None if found is None else entry_of(found)

    def set(self, key: str, value: Any, *, ttl: Ttl = None, if_absent: bool = False) -> bool:
        """Store a JSON value (up to 240 KiB, nested up to 31 deep) under `key`; replaces what was.

        `ttl` is how long it stays, in seconds or as a timedelta, at most a year; without it, it
        stays. With `if_absent` nothing is replaced: False where there was a value already.
        """
        try:
            self._ask("set", {"key": key, "value": value, **set_options(ttl, if_absent)})
        except KvsError as error:
            if if_absent and error.code == "KEY_ALREADY_EXISTS":
                return False
            raise
        return True

    def replace(self, key: str, value: Any, *, ttl: Ttl = None) -> Entry | None:
        """As `set`; returns what was there before, None where nothing was."""
        options = set_options(ttl).get("options", {})
        options |= {"keyPolicy": "OVERRIDE", "returnValue": "PREVIOUS"}
        options["returnMetadataFields"] = METADATA
        found = self._ask("set", {"key": key, "value": value, "options": options})
        return None if found is None else entry_of(found)

    def delete(self, key: str) -> None:
        """Forget `key`. That it does not exist is no error."""
        self._ask("delete", {"key": key})

    async def aget(self, key: str, default: Any = None) -> Any:
        """As `get`."""
        return await in_thread(self.get, key, default)

    async def aentry(self, key: str) -> Entry | None:
        """As `entry`."""
        return await in_thread(self.entry, key)

    async def aset(self, key: str, value: Any, *, ttl: Ttl = None, if_absent: bool = False) -> bool:
        """As `set`."""
        return await in_thread(self.set, key, value, ttl=ttl, if_absent=if_absent)

    async def areplace(self, key: str, value: Any, *, ttl: Ttl = None) -> Entry | None:
        """As `replace`."""
        return await in_thread(self.replace, key, value, ttl=ttl)

    async def adelete(self, key: str) -> None:
        """As `delete`."""
        await in_thread(self.delete, key)

    def _find(self, body: dict[str, Any]) -> Any:
        try:
            return self._ask("get", body)
        except KvsError as error:
            if error.code == "KEY_NOT_FOUND":
                return None
            raise

    def _ask(self, operation: str, body: dict[str, Any]) -> Any:
        return ask(f"{self._path}{operation}", {**self._more, **body})


class EntitySpace(Space):
    """The items of one entity that the manifest declares under `app.storage.entities`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__("entity/", entityName=name)
        self.name = name

    def query(
        self,
        index: str = "by-key",
        *,
        partition: Iterable[str | int | float] = (),
        where: Condition | None = None,
        filters: Mapping[str, Condition] | None = None,
        match: Literal["all", "any"] = "all",
        descending: bool = False,
        limit: int = 10,
        cursor: str | None = None,
    ) -> Page:
        """Up to `limit` (1 to 100) items in the order of an index.

        `partition` has a value for each of the index's partition attributes; `where` is about the
        first attribute of its range (the key, for `by-key`). `filters` are tried on each item that
        is found: a page may then be shorter than `limit`, even empty, and still have a cursor.
        """
        body: dict[str, Any] = {"indexName": index, "limit": limit}
        if listed := list(partition):
            body["partition"] = listed
        if where is not None:
            body["range"] = where.range()
        if filters:
            body["filters"] = filters_of(filters, match)
        if descending:
            body["sort"] = "DESC"
        if cursor is not None:
            body["cursor"] = cursor
        return page_of(self._ask("query", body))

    def all(self, index: str = "by-key", **asked: Any) -> Iterator[Entry]:
        """Every item that `query` finds, page after page; takes what `query` takes."""
        asked.setdefault("limit", 100)
        while True:
            page = self.query(index, **asked)
            yield from page
            if page.cursor is None:
                return
            asked["cursor"] = page.cursor

    async def aquery(self, index: str = "by-key", **asked: Any) -> Page:
        """As `query`."""
        return await in_thread(self.query, index, **asked)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of each key: the entries that were got or the keys that were written, and the
    error of each key that was not."""

    entries: dict[str, Entry] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    failed: dict[str, KvsError] = field(default_factory=dict)


class Batch:
    """Up to 25 keys at once. Each stands for itself: what fails is in `failed`, the rest is done.

    With `entity` the keys are those of an entity.
    """

    __slots__ = ()

    def get(self, keys: Iterable[str], *, entity: str | None = None) -> BatchResult:
        """Get keys; one that is not there is in `failed` with `KEY_NOT_FOUND`."""
        options = {"metadataFields": METADATA}
        found = ask("batch/get", [{**_of(entity, key), "options": options} for key in keys])
        entries = {each["key"]: entry_of(each) for each in found["successfulKeys"]}
        return BatchResult(entries, tuple(entries), _errors(found))

    def set(
        self, values: Mapping[str, Any], *, ttl: Ttl = None, entity: str | None = None
    ) -> BatchResult:
        """Set keys to values."""
        options = set_options(ttl)
        requests = [
            {**_of(entity, key), "value": value, **options} for key, value in values.items()
        ]
        return _result(ask("batch/set", requests))

    def delete(self, keys: Iterable[str], *, entity: str | None = None) -> BatchResult:
        """Forget keys."""
        return _result(ask("batch/delete", [_of(entity, key) for key in keys]))

    async def aget(self, keys: Iterable[str], *, entity: str | None = None) -> BatchResult:
        """As `get`."""
        return await in_thread(self.get, keys, entity=entity)

    async def aset(
        self, values: Mapping[str, Any], *, ttl: Ttl = None, entity: str | None = None
    ) -> BatchResult:
        """As `set`."""
        return await in_thread(self.set, values, ttl=ttl, entity=entity)

    async def adelete(self, keys: Iterable[str], *, entity: str | None = None) -> BatchResult:
        """As `delete`."""
        return await in_thread(self.delete, keys, entity=entity)


class Transaction:
    """Up to 25 operations on distinct keys, done together or not at all.

    Use it with `with` or `async with`; it is carried out at the end of the block, unless the block
    raises. `KvsError` with `CONDITION_NOT_MET` means that a condition did not hold and nothing was
    done. Conditions are about attributes, so they are for entities and for values that are objects.
    """

    __slots__ = ("_body",)

    def __init__(self) -> None:
        self._body: dict[str, list[dict[str, Any]]] = {}

    def set(
        self,
        key: str,
        value: Any,
        *,
        entity: str | None = None,
        conditions: Mapping[str, Condition] | None = None,
        match: Literal["all", "any"] = "all",
        ttl: Ttl = None,
    ) -> Self:
        """Store a value, if the conditions hold for what is there."""
        return self._add("set", key, entity, conditions, match, value=value, **set_options(ttl))

    def delete(
        self,
        key: str,
        *,
        entity: str | None = None,
        conditions: Mapping[str, Condition] | None = None,
        match: Literal["all", "any"] = "all",
    ) -> Self:
        """Forget a key, if the conditions hold for what is there."""
        return self._add("delete", key, entity, conditions, match)

    def check(
        self,
        key: str,
        conditions: Mapping[str, Condition],
        *,
        entity: str | None = None,
        match: Literal["all", "any"] = "all",
    ) -> Self:
        """Do nothing of the transaction unless the conditions hold."""
        return self._add("check", key, entity, conditions, match)

    def execute(self) -> None:
        """Carry it out. Raises `KvsError`."""
        body, self._body = self._body, {}
        if body:
            ask("transaction", body)

    async def aexecute(self) -> None:
        """As `execute`."""
        await in_thread(self.execute)

    def _add(
        self,
        kind: str,
        key: str,
        entity: str | None,
        conditions: Mapping[str, Condition] | None,
        match: str,
        **more: Any,
    ) -> Self:
        operation = {**_of(entity, key), **more}
        if conditions:
            operation["conditions"] = filters_of(conditions, match)
        self._body.setdefault(kind, []).append(operation)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.execute()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.aexecute()


def _of(entity: str | None, key: str) -> dict[str, Any]:
    return {"key": key} if entity is None else {"key": key, "entityName": entity}


def _result(found: Mapping[str, Any]) -> BatchResult:
    done = tuple(each["key"] for each in found["successfulKeys"])
    return BatchResult({}, done, _errors(found))


def _errors(found: Mapping[str, Any]) -> dict[str, KvsError]:
    return {
        each["key"]: KvsError(each["error"]["code"], each["error"]["message"])
        for each in found["failedKeys"]
    }
