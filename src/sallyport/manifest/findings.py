"""Collecting findings about one file: sorted by position, bounded, errors kept before warnings."""

from __future__ import annotations

from typing import Protocol

from sallyport.manifest.document import Mapping, Node
from sallyport.manifest.schema import Path
from sallyport.model.manifest import Diagnostic, Level

MOST_FINDINGS = 100


class Place(Protocol):
    """Anything with a position; both count from 1."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class Findings:
    """The findings about `file`, in any order until `sorted`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Diagnostic] = []

    def error(self, place: Place, reference: str, message: str, fix: str | None = None) -> None:
        self._add(place, "error", reference, message, fix)

    def warning(self, place: Place, reference: str, message: str, fix: str | None = None) -> None:
        self._add(place, "warning", reference, message, fix)

    @property
    def has_errors(self) -> bool:
        return any(finding.level == "error" for finding in self._found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """The findings by line and column, each once, at most `MOST_FINDINGS` and a last that
        counts what was left out."""
        unique = sorted(dict.fromkeys(self._found), key=_position)
        if len(unique) <= MOST_FINDINGS:
            return tuple(unique)
        kept = sorted(unique, key=lambda finding: finding.level)[:MOST_FINDINGS]
        last = max(unique, key=_position)
        rest = Diagnostic(
            self.file,
            last.line,
            last.column,
            kept[0].level,
            "too-many-findings",
            f"{len(unique) - MOST_FINDINGS} more findings are not shown",
        )
        return (*sorted(kept, key=_position), rest)

    def _add(
        self, place: Place, level: Level, reference: str, message: str, fix: str | None
    ) -> None:
        self._found.append(
            Diagnostic(self.file, place.line, place.column, level, reference, message, fix)
        )


def node_at(root: Node, path: Path) -> Node:
    """The node at a path, or the nearest one above it."""
    node = root
    for part in path:
        inner: Node | None = None
        if isinstance(node, Mapping) and isinstance(part, str):
            inner = node.get(part)
        elif not isinstance(node, Mapping) and isinstance(part, int):
            items = getattr(node, "items", [])
            inner = items[part] if part < len(items) else None
        if inner is None:
            return node
        node = inner
    return node


def key_place(node: Node, key: str) -> Place:
    """The key of an entry, or the node itself where it has no such entry."""
    if isinstance(node, Mapping) and key in node.entries:
        return node.entries[key].key
    return node


def _position(finding: Diagnostic) -> tuple[int, int, str]:
    return finding.line, finding.column, finding.message
