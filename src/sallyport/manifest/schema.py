"""The JSON Schemas, and where data departs from them.

The same files serve editors. Patterns are ECMA 262 in Unicode mode there and are translated here;
the anchors mean the whole text, never "before a last line break".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

SchemaName: TypeAlias = Literal["manifest", "custom-scopes", "api-notes", "claims-mapping"]
Path: TypeAlias = tuple[str | int, ...]

MOST_VIOLATIONS: Final = 500


@dataclass(frozen=True, slots=True)
class Violation:
    """Where (`path`) the value breaks which keyword.

    `wanted` is the keyword's value in the schema. `named` is the property that is missing or
    unknown, or the pair of equal items, by keyword.
    """

    path: Path
    keyword: str
    wanted: Any
    value: Any
    named: str
    schema: dict[str, Any]


@cache
def schema(name: SchemaName) -> dict[str, Any]:
    """The schema as an editor sees it."""
    text = resources.files(__package__).joinpath(f"schemas/{name}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def violations(name: SchemaName, data: Any) -> list[Violation]:
    """Every departure, at most `MOST_VIOLATIONS`. A value of the wrong type is reported as that."""
    errors = list(islice(_validator(name).iter_errors(data), MOST_VIOLATIONS))
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    found = []
    for error in errors:
        path = tuple(error.absolute_path)
        if error.validator != "type" and path in mistyped:
            continue
        wanted, value = error.validator_value, error.instance
        keyword = str(error.validator)
        found.append(Violation(path, keyword, wanted, value, error.message, _schema_of(error)))
    return found


def _schema_of(error: ValidationError) -> dict[str, Any]:
    return dict(error.schema) if isinstance(error.schema, Mapping) else {}


@cache
def ecma_pattern(pattern: str) -> re.Pattern[str]:
    """An ECMA 262 pattern of our schemas as Python's."""
    text = pattern.replace(r"[\p{Alpha}\d_-]", r"[\w-]")
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", text))


@cache
def _validator(name: SchemaName) -> Validator:
    checks = {
        "required": _required,
        "additionalProperties": _additional,
        "uniqueItems": _unique,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "anyOf": _any_of,
    }
    validator: Validator = extend(Draft202012Validator, checks)(schema(name))  # type: ignore[no-untyped-call]
    return validator


_Errors: TypeAlias = Iterator[ValidationError]


def _required(validator: Any, names: list[str], value: Any, _schema: Any) -> _Errors:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(name)


def _additional(validator: Any, allowed: Any, value: Any, schema: Any) -> _Errors:
    if not isinstance(value, dict):
        return
    patterns = [ecma_pattern(pattern) for pattern in schema.get("patternProperties", ())]
    for name in value:
        if name in schema.get("properties", ()) or any(p.search(name) for p in patterns):
            continue
        if allowed is False:
            yield ValidationError(name)
        else:
            yield from validator.descend(value[name], allowed, path=name)


def _pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> _Errors:
    if isinstance(value, str) and ecma_pattern(pattern).search(value) is None:
        yield ValidationError(pattern)


def _pattern_properties(validator: Any, wanted: Any, value: Any, _schema: Any) -> _Errors:
    if not isinstance(value, dict):
        return
    for pattern, subschema in wanted.items():
        for name, item in value.items():
            if ecma_pattern(pattern).search(name) is not None:
                yield from validator.descend(item, subschema, path=name)


def _unique(validator: Any, wanted: bool, value: Any, _schema: Any) -> _Errors:
    """In linear time, whatever the items are; names the later and the earlier of the first pair."""
    if not wanted or not isinstance(value, list):
        return
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        earlier = seen.setdefault(json.dumps(item, sort_keys=True), index)
        if earlier != index:
            yield ValidationError(f"{index} and {earlier}")
            return


def _any_of(validator: Any, choices: list[Any], value: Any, _schema: Any) -> _Errors:
    if any(validator.evolve(schema=choice).is_valid(value) for choice in choices):
        return
    names = [name for choice in choices for name in choice.get("required", ())]
    yield ValidationError("' or '".join(names))
