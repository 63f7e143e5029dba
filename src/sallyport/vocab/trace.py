"""Trace context between processes (W3C Trace Context, level 1): the header `traceparent`."""

from __future__ import annotations

import re
from typing import NamedTuple

_PARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})"
    r"-(?!0{16})(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII,
)


class TraceParent(NamedTuple):
    """Who caused a request: its trace and the span in it, in hex; whether others record it."""

    trace_id: str
    span_id: str
    sampled: bool = False

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def read_traceparent(text: str) -> TraceParent | None:
    """The value of the header, None for what is none (section 3.2.2); later versions are read
    as far as they are known."""
    found = _PARENT.fullmatch(text)
    if found is None or (found["more"] and found["version"] == "00"):
        return None
    return TraceParent(found["trace"], found["span"], bool(int(found["flags"], 16) & 1))
