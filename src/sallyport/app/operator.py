"""What operators are told: health and metrics on their own listener, how this process stands."""

from __future__ import annotations

import logging
import os
import socket

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
    """How this process stands. It knows of its way in once that is open."""

    def __init__(self, store: Store, pool: Pool, logs: Batch[LogLine]) -> None:
        self._store = store
        self._pool = pool
        self._logs = logs
        self._started_at = store.clock.now()
        self.way_in: WayIn | None = None

    async def processes(self) -> tuple[ProcessState, ...]:
        """This process, the only one: it hears of each change before the writer goes on."""
        if self.way_in is None:
            return ()
        recorder, pool = self.way_in.recorder, self._pool
        return (
            ProcessState(
                host=socket.gethostname(),
                pid=os.getpid(),
                at=self._store.clock.now(),
                started_at=self._started_at,
                lag_ms=0,
                workers=pool.workers,
                busy=pool.running,
                waiting=pool.waiting,
                most_workers=pool.limits.workers,
                facts=len(self.way_in.facts),
                sandbox=pool.driver.name,
                dropped=recorder.dropped + recorder.uncounted + self._logs.dropped,
            ),
        )


def build_admin(store: Store, way_in: WayIn, logs: Batch[LogLine], pool: Pool) -> ASGIApp:
    """The application of the operator's listener."""

    def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        try:
            await store.ping()
        except Exception:
            _log.exception("the database does not answer")
            return PlainTextResponse("the database does not answer\n", 503)
        return PlainTextResponse("ok\n")

    def measured(_request: Request) -> Response:
        way_in.measure()
        metrics.WORKERS.set(pool.workers)
        metrics.RECORDS_DROPPED.labels("log_lines").set(logs.dropped)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/metrics", measured),
        ]
    )
