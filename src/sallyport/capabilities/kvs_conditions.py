"""Conditions of queries and transactions: read from requests, tried on values, made to ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from sallyport.capabilities.kvs_values import is_key_prefix, refused
from sallyport.store.appdata import Holds
from sallyport.store.appindex import Span

MOST_FILTERS: Final = 100
# The smallest character of a key: what follows a key in the order of keys begins with it.
_LOWEST_OF_KEYS: Final = "\t"


class Filter(msgspec.Struct, forbid_unknown_fields=True):
    """One condition on one attribute."""

    property: str
    condition: str
    values: list[Any]


class Range(msgspec.Struct, forbid_unknown_fields=True):
    """One condition on what an index is ordered by."""

    condition: str
    values: list[Any]


class Filters(msgspec.Struct, forbid_unknown_fields=True):
    """Conditions of which all must hold, or one."""

    and_: list[Filter] | None = msgspec.field(default=None, name="and")
    or_: list[Filter] | None = msgspec.field(default=None, name="or")


_ABSENT: Final = object()
_Test = Callable[[Any, list[Any]], bool]


def matcher_of(filters: Filters) -> Callable[[dict[str, Any]], bool]:
    """What tells whether the conditions hold for an object. Raises `CapabilityRefused`."""
    if (filters.and_ is None) == (filters.or_ is None):
        raise refused("QUERY_WHERE_INVALID", "Filters are either 'and' or 'or'")
    combine: Literal["and", "or"] = "and" if filters.and_ is not None else "or"
    listed = filters.and_ if filters.and_ is not None else filters.or_ or []
    if not 1 <= len(listed) <= MOST_FILTERS:
        raise refused("QUERY_WHERE_INVALID", f"Filters hold 1 to {MOST_FILTERS} conditions")
    tests = [(each.property, _test(each), each.values) for each in listed]

    def holds(value: dict[str, Any]) -> bool:
        found = (test(_attribute(value, name), values) for name, test, values in tests)
        return all(found) if combine == "and" else any(found)

    return holds


def holds_of(filters: Filters) -> Holds:
    """As `matcher_of`, for the JSON text of an item that may not be there."""
    test = matcher_of(filters)

    def holds(value: str | None) -> bool:
        decoded = {} if value is None else msgspec.json.decode(value)
        return test(decoded if isinstance(decoded, dict) else {})

    return holds


def key_span(range_: Range) -> Span:
    """The keys that a condition asks for. Raises `CapabilityRefused`."""
    texts = _texts(range_)
    if not all(is_key_prefix(text) for text in texts):
        raise refused("INVALID_FILTER_VALUES", "No key can begin with this text")
    first = texts[0]
    match range_.condition:
        case "BEGINS_WITH":
            return Span(first, next_after(first)) if first else Span()
        case "EQUAL_TO":
            return Span(first, first + _LOWEST_OF_KEYS)
        case "GREATER_THAN":
            return Span(low=first + _LOWEST_OF_KEYS)
        case "GREATER_THAN_EQUAL_TO":
            return Span(low=first)
        case "LESS_THAN":
            return Span(high=first)
        case "LESS_THAN_EQUAL_TO":
            return Span(high=first + _LOWEST_OF_KEYS)
        case "BETWEEN":
            return Span(first, texts[1] + _LOWEST_OF_KEYS)
    raise _unknown(range_.condition)


def next_after(prefix: str) -> str | None:
    """The first text after every text that begins with `prefix`, in the order of code points."""
    while prefix:
        following = ord(prefix[-1]) + 1
        if following <= 0x10FFFF:
            # Surrogates are no characters by themselves.
            return prefix[:-1] + chr(0xE000 if following == 0xD800 else following)
        prefix = prefix[:-1]
    return None


def check_count(condition: str, values: list[Any]) -> None:
    """A condition takes so many values and no other number. Raises `CapabilityRefused`."""
    wanted = 2 if condition == "BETWEEN" else 1
    if len(values) != wanted:
        raise refused("INVALID_FILTER_VALUES", f"{condition} takes {wanted} value(s)")


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _texts(range_: Range) -> list[str]:
    check_count(range_.condition, range_.values)
    if not all(isinstance(value, str) for value in range_.values):
        raise refused("INVALID_FILTER_VALUES", f"{range_.condition} of a key takes texts")
    return range_.values


def _attribute(value: dict[str, Any], name: str) -> Any:
    found = value.get(name, _ABSENT)
    return _ABSENT if found is None else found


def _test(each: Filter) -> _Test:
    known = _TESTS.get(each.condition)
    if known is None:
        raise _unknown(each.condition)
    test, takes = known
    check_count(each.condition, each.values)
    if not all(isinstance(value, takes) for value in each.values):
        raise refused("INVALID_FILTER_VALUES", f"{each.condition} does not take such a value")
    return test


def _compare(one: Any, other: Any) -> int | None:
    """-1, 0 or 1; None where the two have no order between them."""
    if (is_number(one) and is_number(other)) or (isinstance(one, str) and isinstance(other, str)):
        return int(one > other) - int(one < other)
    return None


def _ordered(*wanted: int) -> _Test:
    return lambda value, values: _compare(value, values[0]) in wanted


def _equals(value: Any, values: list[Any]) -> bool:
    if isinstance(value, bool) or isinstance(values[0], bool):
        return value is values[0]
    return _compare(value, values[0]) == 0


def _between(value: Any, values: list[Any]) -> bool:
    return _compare(value, values[0]) in (0, 1) and _compare(value, values[1]) in (-1, 0)


def _contains(value: Any, values: list[Any]) -> bool:
    return isinstance(value, (str, list)) and values[0] in value


_SCALAR = (str, int, float)
_TESTS: Final[dict[str, tuple[_Test, Any]]] = {
    "BEGINS_WITH": (
        lambda value, values: isinstance(value, str) and value.startswith(values[0]),
        str,
    ),
    "BETWEEN": (_between, _SCALAR),
    "CONTAINS": (_contains, str),
    "NOT_CONTAINS": (lambda value, values: not _contains(value, values), str),
    "EQUAL_TO": (_equals, (str, int, float, bool)),
    "NOT_EQUAL_TO": (
        lambda value, values: not _equals(value, values),
        (str, int, float, bool),
    ),
    "EXISTS": (lambda value, _: value is not _ABSENT, bool),
    "NOT_EXISTS": (lambda value, _: value is _ABSENT, bool),
    "GREATER_THAN": (_ordered(1), _SCALAR),
    "GREATER_THAN_EQUAL_TO": (_ordered(0, 1), _SCALAR),
    "LESS_THAN": (_ordered(-1), _SCALAR),
    "LESS_THAN_EQUAL_TO": (_ordered(-1, 0), _SCALAR),
}


def _unknown(condition: str) -> Exception:
    return refused("INVALID_FILTER_CONDITION", f"There is no condition {condition[:50]!r} here")
