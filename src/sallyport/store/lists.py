"""Lists of names as they lie in a column: sorted JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

# The same few lists of scopes are read and written with every token.
_KEPT = 1024


def write_names(names: Iterable[str]) -> str:
    return _written(frozenset(names))


@lru_cache(_KEPT)
def read_names(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


@lru_cache(_KEPT)
def _written(names: frozenset[str]) -> str:
    return json.dumps(sorted(names))
