"""Health and metrics, on the operator's own listener."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sallyport.app.public import WayIn
from sallyport.model.decision import LogLine
from sallyport.observe import metrics
from sallyport.runtime.pool import Pool
from sallyport.store.batch import Batch
from sallyport.store.engine import Store

_log = logging.getLogger(__name__)


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
