"""What the number of installations and grants costs a call: nothing.

Fills two SQLite databases, one with a hundred times as many installations and grants, and takes
calls through the gateway's steps in both by turns: warm (the facts are held), cold (all are read),
and by many more grants than the gateway holds. `--help` says how many. Writes facts.json and
facts.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.facts.calls import WORKING_SET, Measured, Result
from bench.load.figures import cell, spread, told
from bench.runtime.report import machine
from sallyport.gateway.facts import DEFAULT_BOUND

RESULTS = Path(__file__).resolve().parents[1] / "results"
TIMES_MORE = 100


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: calls in a round, warm and cold, and rounds."""

    warm_calls: int = 20_000
    cold_calls: int = 2_000
    rounds: int = 9


SHORT = Effort(warm_calls=500, cold_calls=100, rounds=2)


def main() -> None:
    read = argparse.ArgumentParser(prog="python -m bench.facts", description=__doc__)
    read.add_argument("--installations", type=int, default=100_000)
    read.add_argument("--grants", type=int, default=1_000_000)
    read.add_argument("--call", type=int, default=150_000, help="grants that are called once each")
    read.add_argument("--short", action="store_true", help="a hundredth of it, twice")
    read.add_argument("--out", type=Path, default=RESULTS)
    given = read.parse_args()
    effort = Effort()
    if given.short:
        effort = SHORT
        given.installations, given.grants, given.call = 1_000, 10_000, 500
    sizes = [(given.installations // times, given.grants // times) for times in (TIMES_MORE, 1)]
    started_on = machine()
    results = asyncio.run(measure(sizes, given.call, effort))
    found = {
        "machine": started_on,
        "bound": DEFAULT_BOUND,
        "results": [asdict(each) for each in results],
        "ratios": {kind: spread(ratios(results, kind)) for kind in KINDS},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "facts.json").write_text(json.dumps(found, indent=2) + "\n")
    text = as_markdown(found)
    (given.out / "facts.md").write_text(text)
    print(text)


async def measure(
    sizes: Sequence[tuple[int, int]], grants_called: int, effort: Effort
) -> list[Result]:
    """Fill databases of these sizes, then call in them by turns."""
    choose = random.Random(20261128)
    with tempfile.TemporaryDirectory() as folder:
        opened = [await Measured.open(Path(folder), *size) for size in sizes]
        try:
            for _ in range(effort.rounds):
                for each in choose.sample(opened, len(opened)):
                    await each.warm(effort.warm_calls)
                for each in choose.sample(opened, len(opened)):
                    await each.cold(effort.cold_calls)
            for each in opened:
                await each.call_many(grants_called)
        finally:
            for each in opened:
                await each.close()
    return [each.result for each in opened]


KINDS = ("warm_us", "cold_us")


def ratios(results: Sequence[Result], kind: str) -> list[float]:
    """What the same calls cost in the larger database over the smaller one, round by round."""
    few, many = (getattr(each, kind) for each in results)
    return [large / small for small, large in zip(few, many, strict=True)]


def as_markdown(found: dict[str, Any]) -> str:
    """Tables for people; the JSON has every round."""
    rows = [
        "# Facts at scale",
        "",
        "`make bench-facts`: microseconds of processor time that one call takes on its way through "
        "the gateway's steps, in two SQLite databases by turns; median of the rounds [least to "
        f"most]. Warm: {WORKING_SET:,} tokens with their facts held. Cold: every fact of the call "
        f"is read. {told(found['machine'])}",
        "",
        "| installations | grants | made in s | MB | warm | cold | facts of a cold call |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found["results"]:
        rows.append(
            f"| {each['installations']:,} | {each['grants']:,} | {each['filled_s']:.0f} "
            f"| {each['database_mb']:,.0f} | {cell(spread(each['warm_us']), 1)} "
            f"| {cell(spread(each['cold_us']), 0)} | {each['facts_of_a_cold_call']:.1f} |"
        )
    warm, cold = (cell(found["ratios"][kind], 2) for kind in KINDS)
    rows += [
        f"| more over less | | | | {warm} | {cold} | |",
        "",
        f"Held at most: {found['bound']:,} facts. What the process had more than before it called "
        f"by many grants, once each:",
        "",
        "| grants called | in a database of | facts held | MB more |",
        "|---|---|---|---|",
    ]
    for each in found["results"]:
        looks = each["held"]
        for number, (facts, more) in enumerate(looks, 1):
            called = each["called"] * number // len(looks)
            rows.append(f"| {called:,} | {each['grants']:,} | {facts:,} | {more:.0f} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
