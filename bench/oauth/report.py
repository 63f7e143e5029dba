"""The outcome as JSON and as a page."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.load.figures import cell, spread, told
from bench.load.packages import CACHE
from bench.load.wrk import Run

SHOWN = {"grant": "client credentials", "refresh": "refresh"}


@dataclass(frozen=True, slots=True)
class Taken:
    """One contender's turn in a round. `cpu_us` is processor time of the server for a request."""

    name: str
    kind: str
    run: Run
    cpu_us: float


@dataclass
class Report:
    """What was measured: requests a second, milliseconds, microseconds of the processor."""

    machine: dict[str, Any]
    cores: str
    flush_us: float
    rounds: int
    seconds: float
    connections: int
    notes: list[str] = field(default_factory=list)
    contenders: list[dict[str, Any]] = field(default_factory=list)

    def add(self, turns: Sequence[Taken]) -> None:
        """The turns of one contender in one kind, a turn for each round."""
        self.contenders.append(
            {
                "name": turns[0].name,
                "kind": turns[0].kind,
                "rate": spread([each.run.rate for each in turns]),
                "p50_ms": spread([each.run.p50_ms for each in turns]),
                "p99_ms": spread([each.run.p99_ms for each in turns]),
                "cpu_us": spread([each.cpu_us for each in turns]),
                "requests": sum(each.run.requests for each in turns),
                "failed": sum(each.run.failed for each in turns),
            }
        )

    def compare(self, ours: Sequence[Taken], theirs: Sequence[Taken]) -> None:
        """How many times theirs our rate is, round by round."""
        ratios = [a.run.rate / b.run.rate for a, b in zip(ours, theirs, strict=True)]
        for each in self.contenders:
            if (each["name"], each["kind"]) == (theirs[0].name, theirs[0].kind):
                each["ours_over_this"] = spread(ratios)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    def as_markdown(self) -> str:
        lines = [
            "# The token endpoint, measured",
            "",
            told(self.machine),
            "",
            f"{self.rounds} rounds of {self.seconds:g} s, the contenders in another order in each; "
            f"{self.connections} connections of wrk, kept open. {self.cores} "
            f"A write of 4 KB that is flushed to this disk took {self.flush_us:.0f} us (median).",
            "",
            "Each cell is the median [least to most] of the rounds. Processor is time of all "
            "processes of the server for one request, which other work on the machine changes "
            "less than rates. Access tokens are JWTs signed with ES256, or opaque; clients "
            "authenticate with a secret by Basic.",
            "",
            "Ours: SQLite with `synchronous=FULL`; a grant's rows and its audit row are on disk "
            "before the answer; requests are counted against quotas that are set out of reach. "
            "Theirs: nothing is written.",
            "",
            *(f"- {note}" for note in self.notes),
            *([""] if self.notes else []),
            "| contender | grant | requests/s | p50 ms | p99 ms | processor, us | failed "
            "| ours / this |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for each in self.contenders:
            over = each.get("ours_over_this")
            lines.append(
                f"| {each['name']} | {SHOWN[each['kind']]} | {cell(each['rate'], 0)} "
                f"| {cell(each['p50_ms'], 1)} | {cell(each['p99_ms'], 1)} "
                f"| {cell(each['cpu_us'], 0)} | {each['failed']} of {each['requests']} "
                f"| {cell(over, 2) if over else ''} |"
            )
        return "\n".join(lines) + "\n"


def flush_us() -> float:
    """Microseconds that a small durable write takes on the disk of the checkout."""
    CACHE.mkdir(parents=True, exist_ok=True)
    taken = []
    with tempfile.NamedTemporaryFile(dir=CACHE) as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e6)
    return round(statistics.median(taken), 1)


def write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oauth.json").write_text(report.as_json())
    (folder / "oauth.md").write_text(report.as_markdown())
