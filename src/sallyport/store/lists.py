"""Lists of names as they lie in a column: sorted JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable


def write_names(names: Iterable[str]) -> str:
    return json.dumps(sorted(names))


def read_names(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))
