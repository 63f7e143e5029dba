"""Scheduled triggers: runs that come due, started once each; docs/reference/triggers.md.

The times lie in the database. A run is claimed before it is started, by whichever process is first;
so each due run is started at most once, and after downtime a trigger runs once, however much it
missed. What a run returns goes nowhere; what it writes is in the app's logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import lru_cache

from sallyport.gateway.context import call_context
from sallyport.gateway.endpoint import MOST_LOADS, Invoke
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.sources import Installed, Sources
from sallyport.manifest.stored import from_json
from sallyport.observe.metrics import SCHEDULED_RUNS
from sallyport.runtime.call import Failure, Invocation
from sallyport.store.changes import Change, Kind
from sallyport.store.engine import Store
from sallyport.store.running import running_version, running_versions
from sallyport.store.triggers import DueRun, claim_due, plan_runs, planned_runs
from sallyport.vocab.clock import SECOND
from sallyport.vocab.ids import new_id

TICK_S = 5.0
PLAN_EVERY_S = 300.0
PAGE = 200

_log = logging.getLogger(__name__)


class Scheduler:
    """Starts due runs, `at_once` at the most; `start` it inside a running loop."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        sources: Sources,
        invoke: Invoke,
        *,
        at_once: int,
        tick_s: float = TICK_S,
    ) -> None:
        self._store = store
        self._facts = facts
        self._sources = sources
        self._invoke = invoke
        self._at_once = at_once
        self._tick_s = tick_s
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._changed = True
        self._task: asyncio.Task[None] | None = None
        store.feed.follow(self._hear)

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="scheduler")

    async def close(self) -> None:
        """Start nothing more. Runs that have begun end when the pool is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def settle(self) -> None:
        """Wait for the runs that have begun."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def plan(self) -> None:
        """Bring the times of every installation in line with the version that it runs."""
        after = ""
        while page := await self._store.read(running_versions, after=after, limit=PAGE):
            after = page[-1].installation_id
            planned = await self._store.read(planned_runs, [each.installation_id for each in page])
            for each in page:
                if planned.get(each.installation_id, {}) != schedules_of(each.manifest):
                    await self._store.write(plan_runs, each.installation_id, schedules_of)

    async def start_due(self) -> int:
        """Start the runs that are due and for which there is room; returns how many."""
        room = self._at_once - len(self._running)
        if room <= 0 or self._store.feed.is_behind:
            return 0
        claimed = await self._store.write(claim_due, room)
        for due in claimed:
            task = asyncio.create_task(self._run(due), name="scheduled run")
            self._running.add(task)
            task.add_done_callback(self._done)
        return len(claimed)

    def _hear(self, change: Change) -> None:
        if change.kind in (Kind.INSTALLATION, Kind.VERSION):
            self._changed = True
            self._wake.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        planned_at = 0.0
        while True:
            try:
                if self._changed or loop.time() >= planned_at + PLAN_EVERY_S:
                    self._changed = False
                    await self.plan()
                    planned_at = loop.time()
                await self.start_due()
            except Exception:
                _log.exception("the scheduler could not look for due runs")
                await asyncio.sleep(self._tick_s)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick_s):
                    await self._wake.wait()

    async def _run(self, due: DueRun) -> None:
        try:
            outcome = await self._invoke_due(due)
        except Exception:
            _log.exception("a scheduled run failed", extra={"installation_id": due.installation_id})
            outcome = "failed"
        SCHEDULED_RUNS.labels(outcome).inc()

    async def _invoke_due(self, due: DueRun) -> str:
        installed = await self._installed(due.installation_id)
        if installed is None:
            return "gone"
        trigger = next(
            (
                each
                for each in from_json(installed.version.manifest).scheduled_triggers
                if each.key == due.module_key
            ),
            None,
        )
        function = installed.compiled.functions.get(trigger.function or "") if trigger else None
        if trigger is None or function is None:
            return "gone"
        context = call_context(
            installed.context,
            function_key=function.key,
            module_key=trigger.key,
            module_type="scheduledTrigger",
            account_id=None,
            scopes=(),
        )
        request = {
            "method": "POST",
            "path": f"/scheduledTrigger/{trigger.key}",
            "userPath": "",
            "headers": {},
            "queryParameters": {},
            "pathParameters": {},
        }
        result = await self._invoke(
            installed.target,
            Invocation(
                id=new_id(),
                trace_id=new_id().replace("-", ""),
                function_key=function.key,
                handler=function.handler,
                request=request,
                body=b"",
                context=context,
                timeout_ms=function.timeout_seconds * SECOND,
            ),
        )
        return result.kind if isinstance(result, Failure) else "done"

    async def _installed(self, installation_id: str) -> Installed | None:
        running = await self._store.read(running_version, installation_id)
        if running is None:
            return None
        key = (running.site_id, running.app_id, running.environment_id, running.product)
        for _ in range(MOST_LOADS):
            try:
                return self._facts.get(self._sources.installed, key)
            except Lacking as lacking:
                await self._facts.load(lacking)
        return None


@lru_cache(maxsize=512)
def schedules_of(manifest: str) -> Mapping[str, str]:
    """The scheduled triggers of a stored manifest that run a function: module key -> interval."""
    return {
        each.key: each.interval
        for each in from_json(manifest).scheduled_triggers
        if each.function is not None
    }
