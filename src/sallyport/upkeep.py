"""What the platform does by itself, again and again, for as long as it is open.

Each task goes on where one round of it failed; the failure is in the operator's log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sallyport.control.bundles import remove_unneeded_bundles
from sallyport.control.services import Services
from sallyport.model.directory import PLATFORM
from sallyport.observe import metrics
from sallyport.runtime.pool import Pool
from sallyport.settings import Settings
from sallyport.store.appdata import purge_expired
from sallyport.store.cleaning import CLEANED, clean
from sallyport.store.engine import Store
from sallyport.store.keys import live_key_times
from sallyport.store.records import purge_records
from sallyport.tokens.keys import Keys, rotate
from sallyport.vocab.clock import DAY

EVERY_S = 60
COLLECT_EVERY_S = 3_600
BATCH = 2_000
ITEMS = 200

_log = logging.getLogger(__name__)


@asynccontextmanager
async def kept_up(
    services: Services, keys: Keys, pool: Pool, settings: Settings
) -> AsyncIterator[None]:
    """Do every task of upkeep for as long as the block."""
    store = services.store
    tasks = (
        _repeat("purge", lambda: _purge(store, settings), EVERY_S),
        _repeat("clean", lambda: _clean(store, settings), EVERY_S),
        _repeat("rotate keys", lambda: _turn_keys(services, keys, settings), EVERY_S),
        _repeat(
            "collect bundles",
            lambda: _collect(store, services.bundles, pool),
            COLLECT_EVERY_S,
            at_once=True,
        ),
    )
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def keys_kept_up(keys: Keys, store: Store) -> AsyncIterator[None]:
    """Drop keys from the ring as they retire, for as long as the block; no more is done."""
    task = _repeat("reload keys", lambda: keys.reload(store), EVERY_S)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _repeat(
    name: str, work: Callable[[], Awaitable[None]], every_s: float, *, at_once: bool = False
) -> asyncio.Task[None]:
    async def go_on() -> None:
        if not at_once:
            await asyncio.sleep(every_s)
        while True:
            try:
                await work()
            except Exception:
                _log.exception("upkeep failed: %s", name)
            await asyncio.sleep(every_s)

    return asyncio.create_task(go_on(), name=name)


async def _purge(store: Store, settings: Settings) -> None:
    """Delete app data whose time has come, and old records of calls."""
    ended = ITEMS
    while ended == ITEMS:
        ended = await store.write(purge_expired, batch=ITEMS)
        metrics.KVS_EXPIRED.inc(ended)
    before = store.clock.now() - settings.retention_days * DAY
    gone = 1
    while gone:
        gone = await store.write(
            purge_records, before=before, keep=settings.records_kept, batch=BATCH
        )


async def _clean(store: Store, settings: Settings) -> None:
    """Delete what has ended, a batch at a time, so that no writer waits long."""
    audit_before = store.clock.now() - settings.audit_days * DAY
    for table, _ in CLEANED:
        try:
            gone = BATCH
            while gone == BATCH:
                gone = await store.write(clean, table.name, audit_before=audit_before, batch=BATCH)
                metrics.CLEANED.labels(table.name).inc(gone)
        except Exception:
            _log.exception("could not clean %s", table.name)


async def _turn_keys(services: Services, keys: Keys, settings: Settings) -> None:
    """Drop retired keys from the ring, and make the next key when it is due."""
    newest = (await services.store.read(live_key_times))[-1]
    now = services.store.clock.now()
    if services.policy.is_rotation_due(newest.signs_from, settings.key_rotation_days, now):
        await rotate(services.store, services.policy, PLATFORM)
    await keys.reload(services.store)


async def _collect(store: Store, bundles: Path, pool: Pool) -> None:
    removed = await remove_unneeded_bundles(store, bundles, lambda: pool.bundles)
    if removed:
        _log.info("removed %d bundles that no version refers to", removed)
