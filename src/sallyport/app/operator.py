"""What operators are told: health and metrics on their own listener, how each process stands."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sallyport.app.public import WayIn
from sallyport.model.decision import LogLine
from sallyport.model.platform import ProcessState
from sallyport.observe import metrics
from sallyport.runtime.pool import Pool
from sallyport.store.batch import Batch
from sallyport.store.engine import Store

_log = logging.getLogger(__name__)


class OwnState:
    """How this process stands. It knows of its way in once that is open, if it has one."""

    def __init__(self, store: Store, pool: Pool, logs: Batch[LogLine]) -> None:
        self._store = store
        self.pool = pool
        self._logs = logs
        self._started_at = store.clock.now()
        self.way_in: WayIn | None = None

    async def processes(self) -> tuple[ProcessState, ...]:
        """This process alone: it hears of each change before the writer goes on."""
        recorder, pool = self.way_in.recorder if self.way_in else None, self.pool
        lost = recorder.dropped + recorder.uncounted if recorder is not None else 0
        return (
            ProcessState(
                host=socket.gethostname(),
                pid=os.getpid(),
                at=self._store.clock.now(),
                started_at=self._started_at,
                lag_ms=self._store.feed.lag_ms,
                workers=pool.workers,
                busy=pool.running,
                waiting=pool.waiting,
                most_workers=pool.limits.workers,
                facts=len(self.way_in.facts) if self.way_in else 0,
                sandbox=pool.driver.name,
                dropped=lost + self._logs.dropped,
            ),
        )

    def measure(self) -> None:
        """Bring the gauges up to date."""
        if self.way_in is not None:
            self.way_in.measure()
        metrics.WORKERS.set(self.pool.workers)
        metrics.RECORDS_DROPPED.labels("log_lines").set(self._logs.dropped)


async def _nothing() -> list[str]:
    return []


async def _own_metrics() -> bytes:
    return metrics.exposition()


@dataclass(frozen=True, slots=True)
class Told:
    """What the listener tells besides this process's own: `problems` in words, all `metrics`."""

    problems: Callable[[], Awaitable[list[str]]] = _nothing
    metrics: Callable[[], Awaitable[bytes]] = _own_metrics


def build_admin(store: Store, own: OwnState, told: Told) -> ASGIApp:
    """The application of the operator's listener."""

    def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        try:
            await store.ping()
        except Exception:
            _log.exception("the database does not answer")
            return PlainTextResponse("the database does not answer\n", 503)
        problems = await told.problems()
        if problems:
            return PlainTextResponse("".join(f"{each}\n" for each in problems), 503)
        return PlainTextResponse("ok\n")

    async def measured(_request: Request) -> Response:
        own.measure()
        return Response(await told.metrics(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/metrics", measured),
        ]
    )
