"""What an app's developer tells callers about its functions, for the API documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ParameterNotes:
    """One parameter of the path or the query. `schema` is a JSON Schema; `example` any JSON."""

    description: str = ""
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class BodyNotes:
    """A body that is sent or answered."""

    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class FunctionNotes:
    """One function. `responses` are by status: `"200"`."""

    summary: str = ""
    description: str = ""
    path: Mapping[str, ParameterNotes] = field(default_factory=dict)
    query: Mapping[str, ParameterNotes] = field(default_factory=dict)
    request: BodyNotes | None = None
    responses: Mapping[str, BodyNotes] = field(default_factory=dict)


ApiNotes = Mapping[str, FunctionNotes]
"""By handler: `index.get_name`."""

NO_NOTES = FunctionNotes()
