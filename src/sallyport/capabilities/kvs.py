"""The key-value store: its operations and error codes, contract sections (i) and (l.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sallyport.capabilities import kvs_query
from sallyport.capabilities.kvs_conditions import Filters, holds_of
from sallyport.capabilities.kvs_entities import Kinds, kinds_of, space_of
from sallyport.capabilities.kvs_query import public
from sallyport.capabilities.kvs_requests import (
    EntityQueryRequest,
    KeyRequest,
    QueryRequest,
    SetOptions,
    SetRequest,
    TransactionKey,
    TransactionRequest,
    TransactionSet,
    decode,
)
from sallyport.capabilities.kvs_values import check_key, check_value, duration_of, refused
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.store import appdata
from sallyport.store.appdata import (
    PLAIN,
    SECRETS,
    Check,
    ConditionFailed,
    InstallationGone,
    KeyExists,
    Operation,
    Put,
    QuotaExceeded,
    Remove,
    Schema,
    VersionMoved,
)
from sallyport.store.engine import Store
from sallyport.store.running import running_version

MOST_OPERATIONS: Final = 25
LARGEST_TRANSACTION: Final = 4 * 1024 * 1024
DEFAULT_QUOTA: Final = 256 * 1024 * 1024
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """One installation that asks, and what it may keep in bytes."""

    store: Store
    installation_id: str
    quota: int

    async def kinds(self) -> tuple[Kinds, str]:
        """The entities of the version that runs now, and its id. Raises `CapabilityRefused`."""
        running = await self.store.read(running_version, self.installation_id)
        if running is None:
            raise gone()
        return kinds_of(running.manifest), running.version_id


async def serve(
    store: Store, installation_id: str, path: str, body: bytes, *, quota: int = DEFAULT_QUOTA
) -> Any:
    """Carry out one operation for an installation. Raises `CapabilityRefused`.

    None is an empty answer.
    """
    operation = OPERATIONS.get(path)
    if operation is None:
        raise refused("NOT_SUPPORTED", f"The store has no operation {path[:100]!r}", 404)
    asked = Asked(store, installation_id, quota)
    for _ in range(TRIES):
        try:
            return await operation(asked, body)
        except VersionMoved:
            # Another version was deployed in between; its indexes count.
            continue
        except InstallationGone:
            raise gone() from None
    raise refused("TOO_MANY_REQUESTS", "The app changes too quickly; try again", 429)


def gone() -> CapabilityRefused:
    return refused("NOT_FOUND", "The app is no longer installed here", 404)


# ---- one key


def _get(secret: bool = False, entity: bool = False) -> Callable[[Asked, bytes], Awaitable[Any]]:
    async def get(asked: Asked, body: bytes) -> Any:
        request = decode(body, KeyRequest)
        space = await _space(asked, request.entity_name, secret=secret, entity=entity)
        key = check_key(request.key)
        item = await asked.store.read(appdata.item_by_key, asked.installation_id, space, key)
        if item is None:
            raise _not_there()
        return public(item, request.options.metadata_fields if request.options else None)

    return get


def _set(secret: bool = False, entity: bool = False) -> Callable[[Asked, bytes], Awaitable[Any]]:
    async def set_(asked: Asked, body: bytes) -> Any:
        request = decode(body, SetRequest)
        space = await _space(asked, request.entity_name, secret=secret, entity=entity)
        options = request.options or SetOptions()
        kinds, schema = await _schema(asked, [request.entity_name])
        put = _put(asked, request, space, kinds)
        try:
            (written,) = await asked.store.write(
                appdata.write_items,
                asked.installation_id,
                [put],
                most_bytes=asked.quota,
                schema=schema,
            )
        except (KeyExists, QuotaExceeded) as failure:
            raise _failed(failure) from None
        if options.return_value is None:
            return None
        shown = written.before if options.return_value == "PREVIOUS" else written.after
        return None if shown is None else public(shown, options.return_metadata_fields)

    return set_


def _delete(secret: bool = False, entity: bool = False) -> Callable[[Asked, bytes], Awaitable[Any]]:
    async def delete(asked: Asked, body: bytes) -> Any:
        request = decode(body, KeyRequest)
        space = await _space(asked, request.entity_name, secret=secret, entity=entity)
        remove = Remove(space, check_key(request.key))
        await asked.store.write(
            appdata.write_items, asked.installation_id, [remove], most_bytes=asked.quota
        )

    return delete


# ---- many keys


async def _batch_get(asked: Asked, body: bytes) -> Any:
    requests = _batch(decode(body, list[KeyRequest]))
    kinds = await _kinds_for(asked, [each.entity_name for each in requests])
    failed: list[dict[str, Any]] = []
    found: list[KeyRequest] = []
    for each in requests:
        try:
            _space_in(kinds, each.entity_name)
            check_key(each.key)
        except CapabilityRefused as problem:
            failed.append(_not_done(each, problem))
        else:
            found.append(each)
    keys = [(_space_in(kinds, each.entity_name), each.key) for each in found]
    items = await asked.store.read(appdata.items_by_key, asked.installation_id, keys)
    succeeded, size = [], 0
    for each, item in zip(found, items, strict=True):
        size += 0 if item is None else len(item.value.encode())
        if item is None:
            failed.append(_not_done(each, _not_there()))
        elif size > kvs_query.LARGEST_PAGE:
            # It would not fit into one reply with those before it.
            large = refused("MAX_SIZE", "The values are over 4 MB together; get fewer at once", 413)
            failed.append(_not_done(each, large))
        else:
            fields = each.options.metadata_fields if each.options else None
            succeeded.append({**public(item, fields), **_of_entity(each)})
    return {"successfulKeys": succeeded, "failedKeys": failed}


async def _batch_set(asked: Asked, body: bytes) -> Any:
    requests = _batch(decode(body, list[SetRequest]))
    kinds, schema = await _schema(asked, [each.entity_name for each in requests])
    return await _each(
        asked,
        requests,
        lambda each: _put(asked, each, _space_in(kinds, each.entity_name), kinds),
        schema,
    )


async def _batch_delete(asked: Asked, body: bytes) -> Any:
    requests = _batch(decode(body, list[KeyRequest]))
    kinds = await _kinds_for(asked, [each.entity_name for each in requests])
    return await _each(
        asked,
        requests,
        lambda each: Remove(_space_in(kinds, each.entity_name), check_key(each.key)),
        None,
    )


async def _each(
    asked: Asked,
    requests: Sequence[Any],
    operation: Callable[[Any], Operation],
    schema: Schema | None,
) -> Any:
    """Each request stands for itself: what cannot be done is told, the rest is done."""
    failed, ready = [], []
    for each in requests:
        try:
            ready.append((each, operation(each)))
        except CapabilityRefused as problem:
            failed.append(_not_done(each, problem))
    outcomes = await asked.store.write(
        appdata.write_each,
        asked.installation_id,
        [made for _, made in ready],
        most_bytes=asked.quota,
        schema=schema,
    )
    succeeded = []
    for (each, _), failure in zip(ready, outcomes, strict=True):
        if failure is None:
            succeeded.append({"key": each.key, **_of_entity(each)})
        else:
            failed.append(_not_done(each, _failed(failure)))
    return {"successfulKeys": succeeded, "failedKeys": failed}


async def _transaction(asked: Asked, body: bytes) -> Any:
    if len(body) > LARGEST_TRANSACTION:
        raise refused("MAX_SIZE", "A transaction is at most 4 MB", 413)
    request: TransactionRequest = decode(body, TransactionRequest)
    sets, deletes, checks = request.set or [], request.delete or [], request.check or []
    every: list[TransactionSet | TransactionKey] = [*sets, *deletes, *checks]
    if not 1 <= len(every) <= MOST_OPERATIONS:
        raise refused("INVALID_REQUEST", f"A transaction has 1 to {MOST_OPERATIONS} operations")
    if len({(each.entity_name, each.key) for each in every}) != len(every):
        raise refused("INVALID_REQUEST", "The operations of a transaction have distinct keys")
    kinds, schema = await _schema(asked, [each.entity_name for each in every])
    operations: list[Operation] = [
        _put(asked, each, _space_in(kinds, each.entity_name), kinds, each.conditions)
        for each in sets
    ]
    for each in deletes:
        space = _space_in(kinds, each.entity_name)
        holds = None if each.conditions is None else holds_of(each.conditions)
        operations.append(Remove(space, check_key(each.key), holds))
    for each in checks:
        if each.conditions is None:
            raise refused("QUERY_WHERE_INVALID", "A check has conditions")
        space = _space_in(kinds, each.entity_name)
        operations.append(Check(space, check_key(each.key), holds_of(each.conditions)))
    try:
        await asked.store.write(
            appdata.write_items,
            asked.installation_id,
            operations,
            most_bytes=asked.quota,
            schema=schema,
        )
    except (KeyExists, ConditionFailed, QuotaExceeded) as failure:
        raise _failed(failure) from None


# ---- queries


async def _query(asked: Asked, body: bytes) -> Any:
    request = decode(body, QueryRequest)
    return await kvs_query.by_key(asked.store, asked.installation_id, request)


async def _entity_query(asked: Asked, body: bytes) -> Any:
    request = decode(body, EntityQueryRequest)
    kinds, version_id = await asked.kinds()
    kind = kinds.named(request.entity_name)
    return await kvs_query.by_index(asked.store, asked.installation_id, version_id, kind, request)


OPERATIONS: Final[dict[str, Callable[[Asked, bytes], Awaitable[Any]]]] = {
    "/api/v1/get": _get(),
    "/api/v1/set": _set(),
    "/api/v1/delete": _delete(),
    "/api/v1/query": _query,
    "/api/v1/secret/get": _get(secret=True),
    "/api/v1/secret/set": _set(secret=True),
    "/api/v1/secret/delete": _delete(secret=True),
    "/api/v1/entity/get": _get(entity=True),
    "/api/v1/entity/set": _set(entity=True),
    "/api/v1/entity/delete": _delete(entity=True),
    "/api/v1/entity/query": _entity_query,
    "/api/v1/batch/get": _batch_get,
    "/api/v1/batch/set": _batch_set,
    "/api/v1/batch/delete": _batch_delete,
    "/api/v1/transaction": _transaction,
}


# ---- what they share


async def _space(asked: Asked, entity_name: str | None, *, secret: bool, entity: bool) -> str:
    if entity != (entity_name is not None):
        raise refused("INVALID_REQUEST", "entityName belongs to the operations of entities alone")
    if entity_name is None:
        return SECRETS if secret else PLAIN
    kinds, _ = await asked.kinds()
    return kinds.named(entity_name).space


def _space_in(kinds: Kinds | None, entity_name: str | None) -> str:
    if entity_name is None:
        return PLAIN
    assert kinds is not None
    kinds.named(entity_name)
    return space_of(entity_name)


async def _kinds_for(asked: Asked, names: Sequence[str | None]) -> Kinds | None:
    if all(name is None for name in names):
        return None
    return (await asked.kinds())[0]


async def _schema(asked: Asked, names: Sequence[str | None]) -> tuple[Kinds | None, Schema | None]:
    """What is needed to write items of these entities; nothing where they are none."""
    wanted = {name for name in names if name is not None}
    if not wanted:
        return None, None
    kinds, version_id = await asked.kinds()
    return kinds, kinds.schema(version_id, wanted & kinds.by_name.keys())


def _put(
    asked: Asked,
    request: SetRequest | TransactionSet,
    space: str,
    kinds: Kinds | None,
    conditions: Filters | None = None,
) -> Put:
    key, value = check_key(request.key), check_value(request.value)
    options = request.options or SetOptions()
    expires_at = None
    if options.ttl is not None:
        expires_at = asked.store.clock.now() + duration_of(options.ttl.value, options.ttl.unit)
    index: tuple[appdata.IndexEntry, ...] = ()
    if request.entity_name is not None:
        assert kinds is not None
        kind = kinds.named(request.entity_name)
        index = kind.entries(kind.check(value))
    return Put(
        space,
        key,
        value,
        expires_at,
        if_absent=options.key_policy == "FAIL_IF_EXISTS",
        index=index,
        holds=None if conditions is None else holds_of(conditions),
    )


def _batch(requests: list[Any]) -> list[Any]:
    if not 1 <= len(requests) <= MOST_OPERATIONS:
        raise refused("INVALID_REQUEST", f"A batch has 1 to {MOST_OPERATIONS} keys")
    if len({(each.entity_name, each.key) for each in requests}) != len(requests):
        raise refused("INVALID_REQUEST", "The keys of a batch are distinct")
    return requests


def _of_entity(request: Any) -> dict[str, str]:
    return {} if request.entity_name is None else {"entityName": request.entity_name}


def _not_done(request: Any, problem: CapabilityRefused) -> dict[str, Any]:
    error = {"code": problem.code, "message": problem.message}
    return {"key": request.key, **_of_entity(request), "error": error}


def _not_there() -> CapabilityRefused:
    return refused("KEY_NOT_FOUND", "There is no value under this key", 404)


def _failed(failure: Exception) -> CapabilityRefused:
    if isinstance(failure, KeyExists):
        return refused("KEY_ALREADY_EXISTS", "There is a value under this key already", 409)
    if isinstance(failure, ConditionFailed):
        return refused(
            "CONDITION_NOT_MET", f"A condition on the key {failure.key!r} does not hold", 409
        )
    return refused("QUOTA_EXCEEDED", "The installation's store is full", 413)
