"""Measure the gateway; `--help` says how. Writes gateway.md, gateway.json and gateway.svg."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.gateway import others
from bench.gateway.contender import KINDS, Contender
from bench.gateway.ours import NO_NEAR_LIMITS, Ours
from bench.gateway.report import Report
from bench.gateway.turns import Taken, check, take
from bench.load.cores import Cores, choose_cores
from bench.load.packages import NoPackages
from bench.load.wrk import NoWrk, require_wrk
from bench.runtime.report import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"
WARM_S = 2

Start = Callable[[Cores], Contender]

# The first of ours is what the others are compared with.
CONTENDERS: dict[str, Start] = {
    "python": partial(Ours, language="Python"),
    "node": partial(Ours, language="Node"),
    "envoy": others.envoy,
    "workerd": partial(others.workerd, apart=True),
    "workerd-in-process": partial(others.workerd, apart=False),
    "fastapi": others.fastapi,
    "nginx": others.nginx,
}


def main() -> None:
    read = argparse.ArgumentParser(
        prog="python -m bench.gateway", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    read.add_argument("--short", action="store_true", help="one round of a second a turn")
    read.add_argument("--rounds", type=int, default=5)
    read.add_argument("--seconds", type=float, default=4, help="of one turn")
    read.add_argument("--out", type=Path, default=RESULTS)
    read.add_argument(
        "--only",
        metavar="NAMES",
        help=f"contenders with commas, of {', '.join(CONTENDERS)}; python is always among them",
    )
    read.add_argument("--kinds", help=f"with commas, of {', '.join(each.name for each in KINDS)}")
    given = read.parse_args()
    if given.short:
        given.rounds, given.seconds = 1, 1
    try:
        require_wrk()
        names = _chosen(given.only, CONTENDERS, "--only")
        kinds = _chosen(given.kinds, [each.name for each in KINDS], "--kinds")
    except (NoWrk, ValueError) as problem:
        sys.exit(str(problem))
    report = Report(machine(), choose_cores().told(), given.rounds, given.seconds)
    limits = ", ".join(f"`{name}={value}`" for name, value in NO_NEAR_LIMITS.items())
    report.settings.append(
        "Sallyport runs as `sallyport demo` sets it up: sandboxed workers where the host has them, "
        f"the whole decision, limits (far away; {limits}), call records and usage written to "
        "SQLite."
    )
    measure(report, ["python", *(name for name in names if name != "python")], kinds)
    report.write(given.out)
    print(report.as_markdown())


def measure(report: Report, names: list[str], kinds: list[str]) -> None:
    """Start every contender, take the rounds, gather what came out."""
    cores = choose_cores()
    up: list[Contender] = []
    try:
        for name in names:
            try:
                up.append(CONTENDERS[name](cores))
            except NoPackages as problem:
                report.notes.append(f"{name} is left out: {problem}.")
        for each in up:
            check(each)
        turns = _rounds(cores, up, report, kinds)
    finally:
        for each in up:
            each.close()
    of = {each.name: [turn for turn in turns if turn.name == each.name] for each in up}
    for each in up:
        report.add(each, of[each.name], of[up[0].name])


def _rounds(cores: Cores, up: list[Contender], report: Report, kinds: list[str]) -> list[Taken]:
    shuffled = random.Random(7)
    (warm,) = [kind for kind in KINDS if kind.name == "c32"]
    for each in up:
        take(cores, each, warm, min(WARM_S, report.seconds))
    taken = []
    for _ in range(report.rounds):
        for kind in KINDS:
            if kind.name not in kinds:
                continue
            for each in shuffled.sample(up, len(up)):
                if kind.name not in each.skipped:
                    taken.append(take(cores, each, kind, report.seconds))
    return taken


def _chosen(given: str | None, known: list[str] | dict[str, Start], flag: str) -> list[str]:
    """Raises `ValueError`."""
    if given is None:
        return list(known)
    names = [each.strip() for each in given.split(",")]
    strange = [each for each in names if each not in known]
    if strange:
        raise ValueError(f"{flag}: there is no {', '.join(strange)}; there are {', '.join(known)}.")
    return names


if __name__ == "__main__":
    main()
