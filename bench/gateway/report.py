"""The outcome as JSON, as a page and as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.gateway.chart import draw
from bench.gateway.contender import KINDS, Contender, Kind
from bench.gateway.turns import Taken
from bench.load.figures import cell, spread, told


@dataclass
class Report:
    """What was measured: requests a second, milliseconds, microseconds of the processor, MB."""

    machine: dict[str, Any]
    cores: str
    rounds: int
    seconds: float
    settings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    contenders: list[dict[str, Any]] = field(default_factory=list)

    def add(self, contender: Contender, turns: Sequence[Taken], ours: Sequence[Taken]) -> None:
        """Every turn of one contender, and those of the first of ours to compare with."""
        found: dict[str, Any] = {}
        for kind in KINDS:
            of_kind = [each for each in turns if each.kind == kind.name]
            if not of_kind:
                continue
            found[kind.name] = {
                "rate": spread([each.run.rate for each in of_kind]),
                "p50_ms": spread([each.run.p50_ms for each in of_kind]),
                "p99_ms": spread([each.run.p99_ms for each in of_kind]),
                "cpu_us": spread([each.cpu_us for each in of_kind]),
                "requests": sum(each.run.requests for each in of_kind),
                "failed": sum(each.run.failed for each in of_kind),
            }
            of_ours = [each for each in ours if each.kind == kind.name]
            if turns[0].name != ours[0].name:
                ratios = [a.run.rate / b.run.rate for a, b in zip(of_ours, of_kind, strict=True)]
                found[kind.name]["ours_over_this"] = spread(ratios)
        self.contenders.append(
            {
                "name": contender.name,
                "what": contender.what,
                "kinds": found,
                "pss_mb": round(max(each.pss_mb for each in turns), 1),
            }
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    def as_markdown(self) -> str:
        lines = [
            "# The gateway, measured",
            "",
            told(self.machine),
            "",
            f"{self.rounds} rounds of {self.seconds:g} s a turn, the contenders in another order "
            f"in each. {self.cores} Every contender does the same call: an ES256 token is checked "
            "(and remembered, where it is not another one in each call), its scope is checked, a "
            "function answers with a small JSON. Each cell is the median [least to most] of the "
            "rounds.",
            "",
            *(f"- {each}" for each in (*self.settings, *self.notes)),
            "",
            *self._summary(),
        ]
        for kind in KINDS:
            if any(kind.name in each["kinds"] for each in self.contenders):
                lines += ["", *self._table(kind)]
        return "\n".join(lines) + "\n"

    def as_svg(self) -> str:
        """Requests a second with 32 connections."""
        return draw(
            "Requests a second, 32 connections",
            [
                (each["name"], each["kinds"]["c32"]["rate"])
                for each in self.contenders
                if "c32" in each["kinds"]
            ],
        )

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gateway.json").write_text(self.as_json())
        (folder / "gateway.md").write_text(self.as_markdown())
        (folder / "gateway.svg").write_text(self.as_svg())

    def _summary(self) -> list[str]:
        """Everything at a glance, in medians."""
        lines = [
            "| contender | what it does | requests/s, 32 | ours / this | p99 ms, 1 | p99 ms, 32 "
            "| p99 ms, 128 | p99 ms at 1,000/s | requests/s, 16 KB | requests/s, cold | MB (PSS) |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for each in self.contenders:
            cells = [
                _median(each, "c32", "rate"),
                _median(each, "c32", "ours_over_this", 2),
                *(_median(each, kind, "p99_ms", 2) for kind in ("c1", "c32", "c128", "paced")),
                _median(each, "body", "rate"),
                _median(each, "cold", "rate"),
                f"{each['pss_mb']:.0f}",
            ]
            lines.append(f"| {each['name']} | {each['what']} | " + " | ".join(cells) + " |")
        return lines

    def _table(self, kind: Kind) -> list[str]:
        lines = [
            f"## {kind.shown}",
            "",
            "| contender | requests/s | p50 ms | p99 ms | processor, us | failed | ours / this |",
            "|---|---|---|---|---|---|---|",
        ]
        for each in self.contenders:
            found = each["kinds"].get(kind.name)
            if found is None:
                continue
            over = found.get("ours_over_this")
            lines.append(
                f"| {each['name']} | {cell(found['rate'], 0)} | {cell(found['p50_ms'], 2)} "
                f"| {cell(found['p99_ms'], 2)} | {cell(found['cpu_us'], 0)} "
                f"| {found['failed']} of {found['requests']} | {cell(over, 2) if over else ''} |"
            )
        return lines


def _median(each: dict[str, Any], kind: str, of: str, digits: int = 0) -> str:
    found = each["kinds"].get(kind, {}).get(of)
    return "" if found is None else f"{found['median']:,.{digits}f}"
