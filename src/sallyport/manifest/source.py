"""What the manifest needs to know of an app's code: which files there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sallyport.model.manifest import PYTHON_RUNTIME

NODE_EXTENSIONS = ("tsx", "jsx", "ts", "js", "cjs")
PYTHON_EXTENSIONS = ("py",)


class SourceTree(Protocol):
    """An app's files. Paths are relative to the manifest, with forward slashes."""

    def has(self, path: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """The files under a folder on disk."""

    root: Path

    def has(self, path: str) -> bool:
        return (self.root / path).is_file()


class Files:
    """The files of an upload, by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def has(self, path: str) -> bool:
        return path in self._names


def extensions(runtime: str | None) -> tuple[str, ...]:
    """What handler files of a runtime end in, contract section (b.5)."""
    return PYTHON_EXTENSIONS if runtime == PYTHON_RUNTIME else NODE_EXTENSIONS
