"""Spans of calls reach a collector, with what led to them and without what they carried.

Planted bugs that these tests were seen to fail on: the parent left out; every call exported
whatever its caller says; the attributes of denials missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collecting import Collector, collecting
from demo_world import Demo, demo_on, running

PARENT_SPAN = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that exports the traces of its callers, and none that begin with it."""
    settings = {"SALLYPORT_OTLP_ENDPOINT": collector.url, "SALLYPORT_TRACE_PERCENT": "0"}
    with demo_on(tmp_path_factory.mktemp("traced") / "data", **settings) as demo:
        yield demo


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_call_is_a_span_of_its_callers_trace(traced: Demo, collector: Collector) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    secret = "1234&secret=swordfish"
    answer = traced.call(
        "GET",
        f"/getEmployeeName?id={secret}",
        headers={"traceparent": f"00-{trace}-{PARENT_SPAN}-01"},
    )
    assert answer.status_code == 200
    span = collector.span(trace)
    assert span.name == "GET /getEmployeeName"
    assert span.parent_span_id.hex() == PARENT_SPAN
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 60 * 10**9
    told = attributes(span)
    assert told["http.route"] == "/getEmployeeName"
    assert told["http.response.status_code"] == 200
    assert told["sallyport.site_id"] == traced.facts["cloud_id"]
    assert told["sallyport.client_id"] == traced.facts["client_id"]
    assert told["sallyport.decision_id"] == answer.headers["atl-request-id"]
    assert int(told["sallyport.worker_us"]) > 0
    assert "sallyport" in collector.services
    whole = repr(span)
    assert "swordfish" not in whole
    assert traced.facts["access_token"] not in whole


def test_a_refusal_says_which_gate_and_why(traced: Demo, collector: Collector) -> None:
    trace = "5bf92f3577b34da6a3ce929d0e0e4736"
    refused = traced.call(
        "GET",
        "/getEmployeeName?id=1",
        token="abc.def.ghi",
        headers={"traceparent": f"00-{trace}-{PARENT_SPAN}-01"},
    )
    assert refused.status_code == 401
    told = attributes(collector.span(trace))
    assert (told["sallyport.gate"], told["sallyport.reason"]) == ("token", "token_invalid")
    assert told["http.response.status_code"] == 401


def test_what_a_caller_does_not_record_is_not_exported(traced: Demo, collector: Collector) -> None:
    quiet = "6bf92f3577b34da6a3ce929d0e0e4736"
    last = "7bf92f3577b34da6a3ce929d0e0e4736"
    for trace, flags in ((quiet, "00"), (last, "01")):
        traced.call(
            "GET",
            "/getEmployeeName?id=1234",
            headers={"traceparent": f"00-{trace}-{PARENT_SPAN}-{flags}"},
        )
    traced.call("GET", "/getEmployeeName?id=1234")
    collector.span(last)
    assert quiet not in {each.trace_id.hex() for each in collector.spans}


def test_a_wrong_endpoint_is_told_at_once(tmp_path: object) -> None:
    with running("up", "--port", "0", "--data", f"{tmp_path}", "--otlp-endpoint", "nowhere") as it:
        assert it.process.wait(30) == 1
