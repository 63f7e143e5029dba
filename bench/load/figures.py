"""Figures of several rounds, and the machine that they are of, in the words of the reports."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def spread(taken: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median": round(statistics.median(taken), 3),
        "min": round(min(taken), 3),
        "max": round(max(taken), 3),
    }


def cell(found: dict[str, float], digits: int) -> str:
    """A spread as a table shows it: `median [least to most]`."""
    least, most = f"{found['min']:,.{digits}f}", f"{found['max']:,.{digits}f}"
    return f"{found['median']:,.{digits}f} [{least} to {most}]"


def told(machine: dict[str, Any]) -> str:
    """The machine in a sentence, and how busy it was."""
    return (
        f"{machine['at']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_mb']} MB, "
        f"Linux {machine['kernel']}, Python {machine['python']}, as {machine['user']}. "
        f"Load before it began: {', '.join(map(str, machine['load_before']))}."
    )
