"""Spans of calls, exported by OTLP over HTTP with the OpenTelemetry SDK (the extra `otel`).

A span is made after its call was answered and leaves in batches from a thread of the SDK's; what a
collector does not take in time is dropped and counted by nobody's call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from sallyport.vocab.trace import TraceParent

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

QUEUE: Final = 4_096
BATCH: Final = 512
EVERY_MS: Final = 1_000
_HALF: Final = 2**64

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was done, in a trace. Times are in microseconds; `start_us` since the epoch.

    `parent` is who caused it, in another process; `failed` is the server's own failure alone.
    """

    own: TraceParent
    parent: TraceParent | None
    name: str
    start_us: int
    duration_us: int
    failed: bool
    attributes: Mapping[str, Value] = field(default_factory=dict)


class Traces:
    """Where spans go. Without an endpoint there is none, and only what callers record is told on.

    `percent` is the share of traces that begin here and are recorded; a caller that records its
    trace has its calls recorded always (W3C Trace Context section 3.2.2.5.1.1).
    """

    def __init__(self, processor: SpanProcessor | None = None, percent: int = 100) -> None:
        self._processor = processor
        self._below = _HALF * percent // 100

    @property
    def exports(self) -> bool:
        """Whether spans go anywhere; without it none need be made."""
        return self._processor is not None

    def samples(self, trace_id: str, parent: TraceParent | None) -> bool:
        """Whether a call in this trace is recorded; the same for every process that asks."""
        if parent is not None:
            return parent.sampled
        return self._processor is not None and int(trace_id[16:], 16) < self._below

    def add(self, span: Span) -> None:
        """Export a span, soon."""
        if self._processor is None:
            return
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.own, remote=False),
                parent=_context(span.parent, remote=True) if span.parent is not None else None,
                resource=_resource(),
                attributes=span.attributes,
                kind=SpanKind.SERVER,
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=span.start_us * 1_000,
                end_time=(span.start_us + span.duration_us) * 1_000,
            )
        )

    def close(self) -> None:
        """Export what is left, within a few seconds."""
        if self._processor is not None:
            self._processor.shutdown()


def open_traces(endpoint: str, percent: int) -> Traces:
    """Export to the collector at `endpoint`, such as `http://localhost:4318/v1/traces`.

    Without an endpoint nothing is exported. Settings say whether the packages are there.
    """
    if not endpoint:
        return Traces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # A collector that is away is told of once for each batch; the rest is its client's noise.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=5)
    return Traces(
        BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE,
            max_export_batch_size=BATCH,
            schedule_delay_millis=EVERY_MS,
        ),
        percent,
    )


def _context(of: TraceParent, *, remote: bool) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    flags = TraceFlags(TraceFlags.SAMPLED if of.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(of.trace_id, 16), int(of.span_id, 16), remote, flags)


@cache
def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource({"service.name": "sallyport"})
