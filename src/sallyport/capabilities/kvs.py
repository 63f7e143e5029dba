"""The key-value store: operations, limits and error codes of contract sections (i) and (l.1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from sallyport.capabilities.refused import CapabilityRefused
from sallyport.store import appdata
from sallyport.store.appdata import KvEntry
from sallyport.store.engine import Store

LONGEST_KEY: Final = 500
LARGEST_VALUE: Final = 240 * 1024
DEEPEST_VALUE: Final = 31
DEFAULT_LIMIT: Final = 10
HIGHEST_LIMIT: Final = 100
# A page is one reply; what does not fit is on the next page.
LARGEST_PAGE: Final = 4 * 1024 * 1024

# ECMAScript's \s, which the contract's expression means.
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_KEY_CHARACTERS = re.compile(rf"[a-zA-Z0-9:._{_SPACE}#-]*")
_ONLY_SPACE = re.compile(rf"[{_SPACE}]*")


class _KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    key: str


class _SetRequest(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    value: msgspec.Raw


class _Where(msgspec.Struct, forbid_unknown_fields=True):
    property: str
    condition: str
    values: list[Any]


class _QueryRequest(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = DEFAULT_LIMIT
    after: str | None = None
    where: list[_Where] = []


async def serve(store: Store, installation_id: str, path: str, body: bytes) -> Any:
    """Carry out one operation for an installation. Raises `CapabilityRefused`."""
    operation = OPERATIONS.get(path)
    if operation is None:
        raise _refused("NOT_SUPPORTED", f"The store has no operation {path[:100]!r}", 404)
    return await operation(store, installation_id, body)


async def _get(store: Store, installation_id: str, body: bytes) -> Any:
    key = check_key(_decode(body, _KeyRequest).key)
    entry = await store.read(appdata.entry_by_key, installation_id, key)
    if entry is None:
        raise _refused("KEY_NOT_FOUND", "There is no value under this key", 404)
    return _public(entry)


async def _set(store: Store, installation_id: str, body: bytes) -> Any:
    request = _decode(body, _SetRequest)
    key = check_key(request.key)
    value = check_value(request.value)
    if not await store.write(appdata.set_entry, installation_id, key, value):
        raise _refused("NOT_FOUND", "The app is no longer installed here", 404)


async def _delete(store: Store, installation_id: str, body: bytes) -> Any:
    key = check_key(_decode(body, _KeyRequest).key)
    await store.write(appdata.delete_entry, installation_id, key)


async def _query(store: Store, installation_id: str, body: bytes) -> Any:
    request = _decode(body, _QueryRequest)
    if not 1 <= request.limit <= HIGHEST_LIMIT:
        raise _refused("LIST_QUERY_LIMIT_EXCEEDED", f"limit must be 1 to {HIGHEST_LIMIT}")
    page = await store.read(
        appdata.entries_by_prefix,
        installation_id,
        prefix=_prefix(request.where),
        after=None if request.after is None else _read_cursor(request.after),
        limit=request.limit,
        most_characters=LARGEST_PAGE,
    )
    found: dict[str, Any] = {"data": [_public(entry) for entry in page.entries]}
    if page.more:
        found["cursor"] = _cursor(page.entries[-1].key)
    return found


OPERATIONS: Final[dict[str, Callable[[Store, str, bytes], Awaitable[Any]]]] = {
    "/api/v1/get": _get,
    "/api/v1/set": _set,
    "/api/v1/delete": _delete,
    "/api/v1/query": _query,
}


def check_key(key: str) -> str:
    """The key, if it is one. Raises `CapabilityRefused`."""
    if not key:
        raise _refused("KEY_TOO_SHORT", "A key has at least one character")
    if len(key) > LONGEST_KEY:
        raise _refused("KEY_TOO_LONG", f"A key has at most {LONGEST_KEY} characters")
    if _KEY_CHARACTERS.fullmatch(key) is None or _ONLY_SPACE.fullmatch(key) is not None:
        raise _refused(
            "INVALID_KEY",
            "A key holds letters, digits, spaces and : . _ - # only, and not spaces alone",
        )
    return key


def check_value(raw: bytes) -> str:
    """The JSON text of a value within the limits. Raises `CapabilityRefused`.

    The depth of a value is the number of arrays and objects around its innermost scalar.
    """
    if len(raw) > LARGEST_VALUE:
        raise _refused("MAX_SIZE", "A value is at most 240 KiB of JSON", 413)
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The request around it was readable: what is wrong is a number, a text or the depth.
        raise _refused("INVALID_VALUE", "The value is not JSON that can be stored") from None
    if _depth(value) > DEEPEST_VALUE:
        raise _refused("MAX_DEPTH", f"A value is nested at most {DEEPEST_VALUE} deep")
    return bytes(raw).decode()


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        if depth > DEEPEST_VALUE:
            break
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _prefix(where: list[_Where]) -> str:
    """The prefix that a query asks for: at most one condition, BEGINS_WITH on the key."""
    if not where:
        return ""
    if len(where) > 1:
        raise _refused("QUERY_WHERE_INVALID", "A query has at most one condition")
    (condition,) = where
    if condition.property != "key":
        raise _refused("QUERY_WHERE_FIELD_INVALID", "Only 'key' can be queried")
    if condition.condition != "BEGINS_WITH":
        raise _refused("INVALID_FILTER_CONDITION", "The only condition is BEGINS_WITH")
    if len(condition.values) != 1 or not isinstance(condition.values[0], str):
        raise _refused("INVALID_FILTER_VALUES", "BEGINS_WITH takes one text")
    prefix = condition.values[0]
    if len(prefix) > LONGEST_KEY or _KEY_CHARACTERS.fullmatch(prefix) is None:
        raise _refused("INVALID_FILTER_VALUES", "No key can begin with this text")
    return prefix


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return check_key(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except (binascii.Error, ValueError, CapabilityRefused):
        raise _refused("INVALID_CURSOR", "The cursor is none that a query returned") from None


def _public(entry: KvEntry) -> dict[str, Any]:
    return {"key": entry.key, "value": msgspec.Raw(entry.value.encode())}


def _decode(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _refused("INVALID_REQUEST", str(error)) from None


def _refused(code: str, message: str, status: int = 400) -> CapabilityRefused:
    return CapabilityRefused(status, code, message)
