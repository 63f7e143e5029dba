"""Late: what the platform tells of a call, read when the handler looks at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

# The platform writes nothing around its JSON that would have to be skipped, as `loads` does.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = vars(json.JSONDecoder())["scan_once"]


class Late(Mapping[str, Any]):
    """A JSON object that is read when somebody looks at it."""

    __slots__ = ("_read", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._read: dict[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        read = self._read
        return (self._object() if read is None else read)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._object())

    def __len__(self) -> int:
        return len(self._object())

    def _object(self) -> dict[str, Any]:
        if self._read is None:
            self._read, _ = _scan(self._text.decode(), 0)
        return self._read
