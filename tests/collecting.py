"""An OpenTelemetry collector that keeps what it takes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What a collector took, span by span; `bodies` are the requests as they came, unpacked."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self.came:
            self.bodies.append(body)
            for resource in request.resource_spans:
                self.services |= {each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            self.came.notify_all()

    def span(self, trace_id: str) -> Span:
        """The span of this trace, once it is here."""

        def found() -> Span | None:
            return next((each for each in self.spans if each.trace_id.hex() == trace_id), None)

        with self.came:
            assert self.came.wait_for(lambda: found() is not None, timeout=30)
            span = found()
        assert span is not None
        return span


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, for as long as the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            zipped = self.headers.get("content-encoding") == "gzip"
            collector.take(gzip.decompress(body) if zipped else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
