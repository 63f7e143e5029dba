"""Entities: the values that a manifest declares, and where they stand in their indexes.

What an index is ordered by is written so that texts sort as the values do: a letter for the type,
then the number as the bits of a double in hexadecimal with the sign turned, or the text with its
three lowest characters escaped; then the lowest character of all as the end.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from sallyport.capabilities.kvs_conditions import Range, check_count, is_number, next_after
from sallyport.capabilities.kvs_values import refused
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.manifest.stored import from_json
from sallyport.model.manifest import Entity, EntityIndex
from sallyport.store.appdata import IndexEntry, Schema
from sallyport.store.appindex import Span

BY_KEY: Final = "by-key"
LONGEST_INDEXED: Final = 1_000

_END = "\x01"
_PAST = "\x02"
_ESCAPES = {0: "\x02\x01", 1: "\x02\x02", 2: "\x02\x03"}
_DOUBLE = struct.Struct(">d")
_BITS = struct.Struct(">Q")
_SIGN = 1 << 63

_TYPES: Final[dict[str, str]] = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "float": "a number",
}


@dataclass(frozen=True, slots=True)
class Index:
    """One index of an entity; `id` changes with anything that changes what stands in it."""

    id: str
    declared: EntityIndex

    def entry(self, value: Mapping[str, Any]) -> IndexEntry | None:
        """Where an object stands; None where it lacks an attribute. Raises `CapabilityRefused`."""
        parts, ranges = (
            [each for name in names if isinstance(each := value.get(name), (str, int, float))]
            for names in (self.declared.partition, self.declared.range)
        )
        if len(parts) < len(self.declared.partition) or len(ranges) < len(self.declared.range):
            return None
        place = "".join(_written(each) + _END for each in ranges)
        if len(place.encode()) > LONGEST_INDEXED:
            raise refused("MAX_SIZE", f"An indexed attribute is at most {LONGEST_INDEXED} bytes")
        return IndexEntry(self.id, _digest(parts), place)

    def place(self, _key: str, value: str) -> IndexEntry | None:
        """As `entry`, for JSON text that may be from before the index was declared."""
        decoded = msgspec.json.decode(value)
        try:
            return self.entry(decoded) if isinstance(decoded, dict) else None
        except CapabilityRefused:
            return None

    def part(self, values: list[Any] | None) -> str:
        """The partition that a query names. Raises `CapabilityRefused`."""
        values = values or []
        names = self.declared.partition
        if len(values) != len(names) or any(
            not isinstance(each, (str, int, float)) for each in values
        ):
            raise refused(
                "INVALID_PARTITION",
                f"The index takes a value for each of: {', '.join(names)}"
                if names
                else "The index has no partition",
            )
        return _digest(values)


@dataclass(frozen=True, slots=True)
class Kind:
    """An entity, ready to be written and asked for."""

    entity: Entity
    indexes: dict[str, Index]

    @property
    def space(self) -> str:
        return space_of(self.entity.name)

    @property
    def index_ids(self) -> tuple[str, ...]:
        return tuple(index.id for index in self.indexes.values())

    def check(self, value: str) -> dict[str, Any]:
        """The object that a JSON text is, if it fits. Raises `CapabilityRefused`."""
        decoded = msgspec.json.decode(value)
        if not isinstance(decoded, dict):
            raise refused("INVALID_ENTITY_VALUE", "The value of an entity is an object")
        for name, type_ in self.entity.attributes:
            found = decoded.get(name)
            if found is not None and not _fits(found, type_):
                raise refused("INVALID_ENTITY_VALUE", f"The attribute {name} is {_TYPES[type_]}")
        return decoded

    def entries(self, value: dict[str, Any]) -> tuple[IndexEntry, ...]:
        """Where an object stands in each index that it is in. Raises `CapabilityRefused`."""
        found = (index.entry(value) for index in self.indexes.values())
        return tuple(entry for entry in found if entry is not None)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The entities of one version of an app."""

    by_name: dict[str, Kind]

    def named(self, name: str) -> Kind:
        """Raises `CapabilityRefused`."""
        kind = self.by_name.get(name)
        if kind is None:
            raise refused("INVALID_ENTITY", f"The manifest declares no entity {name[:60]!r}")
        return kind

    def schema(self, version_id: str, names: set[str]) -> Schema:
        """What the store must know to write items of these entities."""
        kinds = [self.named(name) for name in sorted(names)]
        return Schema(version_id, {kind.space: kind.index_ids for kind in kinds})


@lru_cache(maxsize=512)
def kinds_of(manifest: str) -> Kinds:
    """The entities of a stored manifest."""
    return Kinds({each.name: _kind(each) for each in from_json(manifest).entities})


def space_of(entity: str) -> str:
    """The space that keeps the keys of an entity."""
    return f"entity:{entity}"


def index_span(range_: Range | None) -> Span:
    """The places that a condition on the first range attribute asks for.

    Raises `CapabilityRefused`.
    """
    if range_ is None:
        return Span()
    condition, values = range_.condition, range_.values
    check_count(condition, values)
    if any(not isinstance(each, (str, int, float)) for each in values):
        raise refused("INVALID_FILTER_VALUES", f"{condition} takes texts or numbers")
    first = _written(values[0])
    lowest, beyond = first[0], chr(ord(first[0]) + 1)
    match condition:
        case "EQUAL_TO":
            return Span(first + _END, first + _PAST)
        case "GREATER_THAN":
            return Span(first + _PAST, beyond)
        case "GREATER_THAN_EQUAL_TO":
            return Span(first + _END, beyond)
        case "LESS_THAN":
            return Span(lowest, first + _END)
        case "LESS_THAN_EQUAL_TO":
            return Span(lowest, first + _PAST)
        case "BETWEEN":
            last = _written(values[1])
            if last[0] != first[0]:
                raise refused("INVALID_FILTER_VALUES", "BETWEEN takes two values of one type")
            return Span(first + _END, last + _PAST)
        case "BEGINS_WITH":
            if not isinstance(values[0], str):
                raise refused("INVALID_FILTER_VALUES", "BEGINS_WITH takes a text")
            return Span(first, next_after(first))
    raise refused("INVALID_FILTER_CONDITION", f"There is no condition {condition[:50]!r} here")


def _kind(entity: Entity) -> Kind:
    return Kind(
        entity, {each.name: Index(_index_id(entity, each), each) for each in entity.indexes}
    )


def _index_id(entity: Entity, index: EntityIndex) -> str:
    types = dict(entity.attributes)
    shape = [entity.name, *([[n, types.get(n)] for n in part] for part in _parts(index))]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


def _parts(index: EntityIndex) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return index.partition, index.range


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(_END.join(_written(each) for each in values).encode()).hexdigest()


def _written(value: str | int | float) -> str:
    if isinstance(value, bool):
        return f"b{int(value)}"
    if isinstance(value, str):
        return "s" + value.translate(_ESCAPES)
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = float("inf") if value > 0 else float("-inf")
    bits = _BITS.unpack(_DOUBLE.pack(number))[0]
    bits = bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN
    return f"n{bits:016x}"


def _fits(value: Any, type_: str) -> bool:
    if type_ == "string":
        return isinstance(value, str)
    if type_ == "boolean":
        return isinstance(value, bool)
    if type_ == "integer":
        return is_number(value) and (isinstance(value, int) or value.is_integer())
    return type_ != "float" or is_number(value)
