"""What the store's requests look like, contract section (l.1). Unknown members are refused."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from sallyport.capabilities.kvs_conditions import Filter, Filters, Range
from sallyport.capabilities.kvs_values import refused

DEFAULT_LIMIT: Final = 10
HIGHEST_LIMIT: Final = 100

Metadata = Literal["CREATED_AT", "UPDATED_AT", "EXPIRE_TIME"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Ttl(_Strict):
    value: float
    unit: str


class Fields(_Strict, rename="camel"):
    metadata_fields: list[Metadata] | None = None


class SetOptions(_Strict, rename="camel"):
    ttl: Ttl | None = None
    key_policy: Literal["OVERRIDE", "FAIL_IF_EXISTS"] | None = None
    return_value: Literal["PREVIOUS", "LATEST"] | None = None
    return_metadata_fields: list[Metadata] | None = None


class KeyRequest(_Strict, rename="camel"):
    key: str
    entity_name: str | None = None
    options: Fields | None = None


class SetRequest(_Strict, rename="camel"):
    key: str
    value: msgspec.Raw
    entity_name: str | None = None
    options: SetOptions | None = None


class QueryRequest(_Strict):
    limit: int | None = None
    after: str | None = None
    where: list[Filter] | None = None
    options: Fields | None = None


class EntityQueryRequest(_Strict, rename="camel"):
    entity_name: str
    index_name: str
    partition: list[Any] | None = None
    range: Range | None = None
    filters: Filters | None = None
    sort: Literal["ASC", "DESC"] | None = None
    cursor: str | None = None
    limit: int | None = None
    options: Fields | None = None
    metadata_fields: list[Metadata] | None = None


class TransactionSet(_Strict, rename="camel"):
    key: str
    value: msgspec.Raw
    entity_name: str | None = None
    conditions: Filters | None = None
    options: SetOptions | None = None


class TransactionKey(_Strict, rename="camel"):
    key: str
    entity_name: str | None = None
    conditions: Filters | None = None


class TransactionRequest(_Strict):
    set: list[TransactionSet] | None = None
    delete: list[TransactionKey] | None = None
    check: list[TransactionKey] | None = None


def decode(body: bytes, shape: type[Any]) -> Any:
    """A request of this shape. Raises `CapabilityRefused`, or msgspec's errors for no JSON."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise refused("INVALID_REQUEST", str(error)) from None


def limit_of(asked: int | None) -> int:
    """Raises `CapabilityRefused`."""
    limit = DEFAULT_LIMIT if asked is None else asked
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise refused("LIST_QUERY_LIMIT_EXCEEDED", f"limit must be 1 to {HIGHEST_LIMIT}")
    return limit
