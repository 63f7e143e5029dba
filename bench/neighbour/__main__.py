"""Measure what a site far beyond its limit does to another. Writes neighbour.md and .json."""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load.cores import Cores, choose_cores
from bench.load.runs import Paced, run_paced
from bench.neighbour.sites import TwoSites
from bench.runtime.report import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"
LIMIT = 100
QUIET = 50
CONNECTIONS = 32
LOADS = {"nothing": 0, "half its limit": LIMIT // 2, "ten times its limit": 10 * LIMIT}


@dataclass(frozen=True, slots=True)
class Turn:
    """Milliseconds of the quiet site's calls, and how many of them failed."""

    beside: str
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


def main() -> None:
    read = argparse.ArgumentParser(prog="python -m bench.neighbour", description=__doc__)
    read.add_argument("--short", action="store_true", help="one round of two seconds a turn")
    read.add_argument("--rounds", type=int, default=5)
    read.add_argument("--seconds", type=float, default=8, help="of one turn")
    read.add_argument("--out", type=Path, default=RESULTS)
    given = read.parse_args()
    if given.short:
        given.rounds, given.seconds = 1, 2
    cores = choose_cores()
    sites = TwoSites(cores, LIMIT)
    try:
        _spend_burst(cores, sites)
        turns = list(_rounds(cores, sites, given.rounds, given.seconds))
    finally:
        sites.close()
    given.out.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine(), "turns": [asdict(each) for each in turns]}
    (given.out / "neighbour.json").write_text(json.dumps(found, indent=2) + "\n")
    text = as_markdown(turns, cores)
    (given.out / "neighbour.md").write_text(text)
    print(text)


def _spend_burst(cores: Cores, sites: TwoSites) -> None:
    """A quota lets a minute's worth come at once; afterwards the limit is what is measured."""
    rate = LOADS["ten times its limit"]
    run_paced(
        cores,
        Paced(sites.noisy.url, sites.noisy.token, rate, CONNECTIONS),
        60 * LIMIT / (rate - LIMIT),
    )


def _rounds(cores: Cores, sites: TwoSites, rounds: int, seconds: float) -> Iterator[Turn]:
    choose = random.Random(20261125)
    for _ in range(rounds):
        names = list(LOADS)
        choose.shuffle(names)
        for name in names:
            yield _turn(cores, sites, name, seconds)


def _turn(cores: Cores, sites: TwoSites, name: str, seconds: float) -> Turn:
    """Calls of the quiet site, beside those of the noisy one."""
    rate = LOADS[name]
    quiet = Paced(sites.quiet.url, sites.quiet.token, QUIET, 4)
    noisy = Paced(sites.noisy.url, sites.noisy.token, rate, CONNECTIONS) if rate else None
    found, *beside = run_paced(cores, quiet, seconds, noisy)
    for each in beside:
        if each.rate < rate / 2:
            raise RuntimeError(f"The load came to {each.rate:.0f} calls a second, not {rate}.")
    return Turn(name, found.p50_ms, found.p99_ms, found.requests, found.failed)


def as_markdown(turns: list[Turn], cores: Cores) -> str:
    """A table for people; the JSON has every turn."""
    alone = [each.p99_ms for each in turns if each.beside == "nothing"]
    rows = [
        "# A noisy neighbour",
        "",
        f"`make bench-neighbour`: calls of one site, {QUIET} a second, while another site calls "
        f"the same app. Each may call it {LIMIT} times a second. Median [least to most] of the "
        "rounds, turns in another order in each. The other site's calls come at random moments "
        f"(a Poisson process), all from one process. {cores.told()}",
        "",
        "| the other site sends | p50 ms | p99 ms | p99 / p99 beside nothing | failed |",
        "|---|---|---|---|---|",
    ]
    for name in LOADS:
        mine = [each for each in turns if each.beside == name]
        p99 = [each.p99_ms for each in mine]
        ratios = [one / other for one, other in zip(p99, alone, strict=True)]
        rows.append(
            f"| {name} | {_spread([each.p50_ms for each in mine])} | {_spread(p99)} "
            f"| {_spread(ratios)} | {sum(each.failed for each in mine)} "
            f"of {sum(each.requests for each in mine)} |"
        )
    return "\n".join(rows) + "\n"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} to {max(values):.2f}]"


if __name__ == "__main__":
    main()
