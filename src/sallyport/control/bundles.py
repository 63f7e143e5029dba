"""Bundles that no version refers to any more, removed in small steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from sallyport.runtime.bundle import removable_bundles, remove_bundle
from sallyport.store import versions
from sallyport.store.engine import Store

# A bundle with packages may hold thousands of files; other work gets its turn between two.
_PAUSE_S = 0.1


async def remove_unneeded_bundles(
    store: Store, directory: Path, running: Callable[[], Iterable[Path]]
) -> int:
    """Remove bundles without a version; says how many.

    A bundle stays while a version refers to it, so that it can be gone back to; while a worker runs
    it (`running`); and for an hour after it was stored, for the deployment that is at it.
    """
    needed = await store.read(versions.bundles_in_use)
    removed = 0
    for path in await asyncio.to_thread(removable_bundles, directory, needed):
        if path not in frozenset(running()) and await asyncio.to_thread(remove_bundle, path):
            removed += 1
            await asyncio.sleep(_PAUSE_S)
    return removed
