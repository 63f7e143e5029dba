"""The outcome as JSON and as a page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.load.figures import spread
from bench.runtime.memory import Held

KINDS = {
    "first_of_version": "first answer, version new here",
    "first_of_installation": "first answer, installation new here",
    "warm": "warm call",
}


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_mb": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": [round(each, 2) for each in os.getloadavg()],
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
    }


@dataclass
class Report:
    """What was measured, in milliseconds and megabytes."""

    machine: dict[str, Any]
    rounds: int
    warm_calls: int
    notes: list[str] = field(default_factory=list)
    contenders: list[dict[str, Any]] = field(default_factory=list)
    many: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, taken: Mapping[str, Sequence[float]], held: Held | None) -> None:
        self.contenders.append(
            {
                "name": name,
                "ms": {kind: spread(taken[kind]) for kind in KINDS if kind in taken},
                "idle_mb": asdict(held) if held is not None else None,
            }
        )

    def add_many(
        self,
        name: str,
        installations: int,
        seconds: float,
        first: Sequence[float],
        again: Sequence[float],
        held: Held,
    ) -> None:
        self.many.append(
            {
                "name": name,
                "installations": installations,
                "seconds_until_all_answered": round(seconds, 2),
                "first_ms": spread(first),
                "again_ms": spread(again),
                "uss_mb_each": round(held.uss / installations, 2),
                "pss_mb_all": round(held.pss, 1),
            }
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    def as_markdown(self) -> str:
        about = self.machine
        lines = [
            "# The runtime, measured",
            "",
            f"{about['at']}: {about['cpu']}, {about['cores']} cores, {about['memory_mb']} MB, "
            f"Linux {about['kernel']}, Python {about['python']}, as {about['user']}. "
            f"Load before it began: {', '.join(map(str, about['load_before']))}.",
            "",
            f"{self.rounds} rounds, the contenders in another order in each; median [least to "
            f"most], in milliseconds; a warm call is measured {self.warm_calls} times a round. "
            "Sallyport is asked at the pool's door (`Pool.invoke`), functions-framework over HTTP "
            "on a kept connection, so their warm calls do not compare; its first answer counts "
            "from the start of its server, as that of a fresh interpreter does.",
            "",
            *(f"- {note}" for note in self.notes),
            *([""] if self.notes else []),
            "| contender | " + " | ".join(KINDS.values()) + " | idle worker, own MB | shared in |",
            "|---" * (len(KINDS) + 3) + "|",
        ]
        for each in self.contenders:
            cells = [_cell(each["ms"].get(kind)) for kind in KINDS]
            held = each["idle_mb"]
            cells += [f"{held['uss']:.1f}", f"{held['pss']:.1f}"] if held else ["", ""]
            lines.append(f"| {each['name']} | " + " | ".join(cells) + " |")
        lines += [
            "",
            "Own MB is what would be free if the worker ended (USS); shared in adds its share of "
            "what it shares with others (PSS).",
            "",
            "| many installations | number | all answered after, s | first answer | second answer "
            "| own MB each | all together, MB (PSS) |",
            "|---|---|---|---|---|---|---|",
        ]
        for each in self.many:
            lines.append(
                f"| {each['name']} | {each['installations']} "
                f"| {each['seconds_until_all_answered']} | {_cell(each['first_ms'])} "
                f"| {_cell(each['again_ms'])} | {each['uss_mb_each']} | {each['pss_mb_all']} |"
            )
        return "\n".join(lines) + "\n"


def _cell(spread: dict[str, float] | None) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:.2f} [{spread['min']:.2f} to {spread['max']:.2f}]"
