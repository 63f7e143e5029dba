"""Route paths and request paths.

A declared path is `/literal` followed by literals, `{name}` (one segment, handed over), `*` (one
segment) and, last, `**` (one segment or more). A request path is taken only in the one form that
RFC 3986 calls normal (`manifest.canonical`), so that what was matched is what the handler sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

LONGEST_PATH = 255

_LITERAL = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
PATH_PATTERN = rf"^/{_LITERAL}(?:/(?:{_LITERAL}|\{{[A-Za-z_][A-Za-z0-9_]*\}}|\*))*(?:/\*\*)?$"

_PATH = re.compile(PATH_PATTERN.replace("$", r"\Z"), re.ASCII)


@dataclass(frozen=True, slots=True)
class Literal:
    """This text and no other, case and all."""

    text: str


@dataclass(frozen=True, slots=True)
class Param:
    """Exactly one segment, handed to the function under `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Star:
    """Exactly one segment."""


@dataclass(frozen=True, slots=True)
class DoubleStar:
    """One segment or more, to the end."""


Segment: TypeAlias = Literal | Param | Star | DoubleStar

STAR = Star()
DOUBLE_STAR = DoubleStar()
_RANK: dict[type, int] = {Literal: 0, Param: 1, Star: 2, DoubleStar: 3}


@dataclass(frozen=True)
class Pattern:
    """A parsed route path. `prefix` counts the literals that it begins with."""

    text: str
    segments: tuple[Segment, ...]

    @cached_property
    def prefix(self) -> int:
        for count, segment in enumerate(self.segments):
            if not isinstance(segment, Literal):
                return count
        return len(self.segments)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters, from left to right."""
        return tuple(segment.name for segment in self.segments if isinstance(segment, Param))


def parse_path(text: str) -> Pattern:
    """A declared path as a pattern. Raises ValueError with the reason."""
    if len(text) > LONGEST_PATH:
        raise ValueError(f"must NOT have more than {LONGEST_PATH} characters")
    if _PATH.match(text) is None:
        raise ValueError(f'must match pattern "{PATH_PATTERN}"')
    segments = tuple(_segment(part) for part in text[1:].split("/"))
    pattern = Pattern(text, segments)
    for name in pattern.names:
        if pattern.names.count(name) > 1:
            raise ValueError(f"must NOT have the parameter '{{{name}}}' more than once")
    return pattern


def _segment(part: str) -> Segment:
    if part == "*":
        return STAR
    if part == "**":
        return DOUBLE_STAR
    if part[0] == "{":
        return Param(part[1:-1])
    return Literal(part)


def specificity(pattern: Pattern) -> tuple[int, ...]:
    """Sorts patterns that match one call: segment by segment, literal, {name}, *, **."""
    return tuple(_RANK[type(segment)] for segment in pattern.segments)


def shape(pattern: Pattern) -> tuple[str, ...]:
    """What decides which calls match: `{name}` and `*` look the same, and no literal like them."""
    return tuple(
        segment.text
        if isinstance(segment, Literal)
        else "**"
        if isinstance(segment, DoubleStar)
        else "*"
        for segment in pattern.segments
    )


def same_calls(one: Pattern, other: Pattern) -> bool:
    """Whether the two match exactly the same request paths."""
    return shape(one) == shape(other)


def match(pattern: Pattern, segments: Sequence[str]) -> Mapping[str, str] | None:
    """The parameters where the decoded request segments match, else None."""
    wanted = pattern.segments
    if isinstance(wanted[-1], DoubleStar):
        wanted = wanted[:-1]
        if len(segments) <= len(wanted):
            return None
    elif len(segments) != len(wanted):
        return None
    params: dict[str, str] = {}
    for expected, found in zip(wanted, segments, strict=False):
        if isinstance(expected, Literal):
            if expected.text != found:
                return None
        elif isinstance(expected, Param):
            params[expected.name] = found
    return params
