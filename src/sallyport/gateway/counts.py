"""Usage of the moment, summed in memory and written every few seconds.

Counting costs a call one look-up. What may be lost in a crash is what the last `EVERY` seconds
counted; metrics and records do not depend on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sallyport.gateway.call import Call
from sallyport.store.engine import Store
from sallyport.store.usage import Usage, UsageKey, add_usage
from sallyport.vocab.clock import HOUR

EVERY = 5.0
MOST_KEYS = 20_000
WRITTEN_AT_ONCE = 500

_log = logging.getLogger(__name__)


class UsageCounts:
    """Counts calls by the hour. Beyond `most` keys between two writes calls are dropped."""

    def __init__(self, store: Store, *, most: int = MOST_KEYS) -> None:
        self._store = store
        self._most = most
        self._counted: dict[UsageKey, Usage] = {}
        self._near: dict[tuple[int, int, int, str | None], tuple[Usage, object, object]] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.dropped = 0

    def count(self, call: Call, status: int, *, refused: bool) -> None:
        """Count a call whose address leads to an installation; any other is nobody's."""
        if call.installed is None or call.site is None:
            return
        route = call.found.route if call.found is not None else None
        client_id = call.token.client_id if call.token is not None else None
        # Quick to make; what is kept under it holds on to both, so their addresses stay theirs.
        near = (call.now // HOUR, id(call.installed), id(route), client_id)
        found = self._near.get(near)
        if found is not None:
            counted = found[0]
        else:
            key = UsageKey(
                call.now - call.now % HOUR,
                call.site.id,
                call.installed.app.id,
                call.installed.environment.id,
                client_id,
                route.key if route is not None else None,
                tuple(sorted(route.scopes)) if route is not None else (),
            )
            known = self._counted.get(key)
            if known is None:
                if len(self._counted) >= self._most:
                    self.dropped += 1
                    return
                known = self._counted[key] = Usage()
            counted = known
            if len(self._near) < self._most:
                self._near[near] = (counted, call.installed, route)
        counted.calls += 1
        counted.refused += refused
        counted.failed += status >= 500
        counted.worker_us += call.worker_us or 0
        counted.bytes_in += call.bytes_in
        counted.bytes_out += call.bytes_out

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="usage-writer")

    async def flush(self) -> None:
        """Write all that was counted; what cannot be written is counted as dropped."""
        counted, self._counted = list(self._counted.items()), {}
        self._near.clear()
        for at in range(0, len(counted), WRITTEN_AT_ONCE):
            rows = counted[at : at + WRITTEN_AT_ONCE]
            try:
                await self._store.write(add_usage, rows)
            except Exception:
                self.dropped += sum(each.calls for _, each in rows)
                _log.exception("could not write the usage of %d keys", len(rows))

    async def close(self) -> None:
        """Write what was counted and stop."""
        self._closing.set()
        if self._task is not None:
            await self._task
        await self.flush()

    async def _work(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), EVERY)
            await self.flush()
