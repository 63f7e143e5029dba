"""Measure the token endpoint; `--help` says how. Writes oauth.md and oauth.json."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.load.cores import Cores, choose_cores
from bench.load.packages import NoPackages, install_packages
from bench.load.wrk import NoWrk, require_wrk, run_wrk
from bench.oauth.contender import SCRIPT_OF, Contender
from bench.oauth.others import PACKAGE, OidcProvider
from bench.oauth.ours import Ours
from bench.oauth.report import Report, Taken, flush_us, write
from bench.runtime.report import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"
SCRIPTS = Path(__file__).resolve().parent
# wrk asks for one request to begin with, besides those of its connections.
SPARE_TOKENS = 8


def main() -> None:
    read = argparse.ArgumentParser(
        prog="python -m bench.oauth", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    read.add_argument("--short", action="store_true", help="two rounds of a second, 8 connections")
    read.add_argument("--rounds", type=int, default=5)
    read.add_argument("--seconds", type=float, default=8, help="of one turn")
    read.add_argument("--connections", type=int, default=32)
    read.add_argument("--out", type=Path, default=RESULTS)
    read.add_argument("--no-others", action="store_true", help="do not install oidc-provider")
    given = read.parse_args()
    if given.short:
        given.rounds, given.seconds, given.connections = 2, 1, 8
    try:
        require_wrk()
    except NoWrk as missing:
        sys.exit(str(missing))
    report = Report(
        machine=machine(),
        cores=choose_cores().told(),
        flush_us=flush_us(),
        rounds=given.rounds,
        seconds=given.seconds,
        connections=given.connections,
    )
    measure(report, others=not given.no_others)
    write(report, given.out)
    print(report.as_markdown())


def measure(report: Report, *, others: bool) -> None:
    """Start every contender, take the rounds, gather what came out."""
    cores = choose_cores()
    contenders: list[Contender] = []
    try:
        contenders.append(Ours(cores))
        if others:
            contenders += _others(cores, report)
        turns = _rounds(cores, contenders, report)
    finally:
        for each in contenders:
            each.close()
    for taken in turns.values():
        report.add(taken)
    for (name, kind), taken in turns.items():
        if name != Ours.name:
            report.compare(turns[Ours.name, kind], taken)


def _others(cores: Cores, report: Report) -> list[Contender]:
    try:
        installed = install_packages(PACKAGE)
    except NoPackages as problem:
        report.notes.append(f"oidc-provider is left out: {problem}.")
        return []
    return [OidcProvider(cores, installed, form) for form in ("jwt", "opaque")]


def _rounds(
    cores: Cores, contenders: list[Contender], report: Report
) -> dict[tuple[str, str], list[Taken]]:
    shuffled = random.Random(7)
    turns = [(each, kind) for each in contenders for kind in each.kinds]
    for each, kind in turns:
        _turn(cores, each, kind, report.connections, 1)
    taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    for _ in range(report.rounds):
        for each, kind in shuffled.sample(turns, len(turns)):
            turn = _turn(cores, each, kind, report.connections, report.seconds)
            taken[each.name, kind].append(turn)
    return {(each.name, kind): taken[each.name, kind] for each, kind in turns}


def _turn(cores: Cores, each: Contender, kind: str, connections: int, seconds: float) -> Taken:
    client = each.client_for(kind)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as tokens:
        if kind == "refresh":
            tokens.write("\n".join(each.refresh_tokens(connections + SPARE_TOKENS)))
            tokens.flush()
        used = each.server.cpu_seconds()
        run = run_wrk(
            cores,
            each.url,
            SCRIPTS / SCRIPT_OF[kind],
            connections=connections,
            seconds=seconds,
            told={
                "CREDENTIALS": client.basic,
                "SCOPE": client.scope.replace(" ", "+"),
                "TOKENS": tokens.name,
            },
        )
        used = each.server.cpu_seconds() - used
    return Taken(each.name, kind, run, used * 1e6 / max(1, run.requests))


if __name__ == "__main__":
    main()
