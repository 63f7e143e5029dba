"""The limits of a call that the runtime keeps, counted where one is reached."""

from __future__ import annotations

from typing import Literal

from sallyport.observe.metrics import LIMITS_REACHED

Limit = Literal[
    "time",
    "memory",
    "response",
    "log_lines",
    "log_bytes",
    "queue",
    "queue_time",
]


def count_reached(limit: Limit) -> None:
    """One call more has come to this limit."""
    LIMITS_REACHED.labels(limit).inc()
