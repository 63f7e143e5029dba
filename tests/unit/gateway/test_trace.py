"""`traceparent` as W3C Trace Context level 1 has it, in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.call import Call
from sallyport.gateway.endpoint import read_call
from sallyport.vocab.trace import TraceParent, read_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def call(*values: str) -> Call:
    headers = [(b"TraceParent", value.encode("latin-1")) for value in values]
    return read_call({"method": "GET", "raw_path": b"/svc/x", "headers": headers}, 0)


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_what_is_a_parent(text: str, sampled: bool) -> None:
    assert read_traceparent(text) == TraceParent(TRACE, SPAN, sampled)
    assert call(text).trace_id == TRACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.upper(),
        GOOD + "-more",
        GOOD + "\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"cc-{TRACE}-{SPAN}-01.more",
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_traceparent(text) is None
    made = call(text)
    assert made.parent is None
    assert made.trace_id != TRACE
    assert len(made.trace_id) == 32


def test_spaces_around_a_header_are_no_part_of_it() -> None:
    """RFC 9110 section 5.5: who reads the field takes them off, not who reads the value."""
    assert read_traceparent(" " + GOOD) is None
    assert call(f" {GOOD} ").trace_id == TRACE


def test_two_parents_are_none() -> None:
    assert call(GOOD, GOOD).parent is None


@given(st.text())
def test_nothing_breaks_it(text: str) -> None:
    found = read_traceparent(text)
    assert found is None or read_traceparent(str(found)) == found


def test_what_a_call_causes_is_in_its_trace_and_a_span_of_its_own() -> None:
    first, second = call(GOOD), call(GOOD)
    assert first.traceparent.trace_id == TRACE
    assert first.traceparent.sampled
    assert len({first.traceparent.span_id, second.traceparent.span_id, SPAN}) == 3
    assert read_traceparent(str(first.traceparent)) == first.traceparent
    assert call().traceparent.sampled is False
