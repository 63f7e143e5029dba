"""Measure the runtime; `--help` says how. Writes runtime.md and runtime.json."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.runtime.others import fresh_node, fresh_python, install_functions_framework
from bench.runtime.ours import Ours
from bench.runtime.report import Report, machine
from sallyport.runtime.node_process import SCRIPTS
from sallyport.runtime.node_program import NodeProgram, NoNode, find_node
from sallyport.runtime.sandbox import PlainDriver
from sallyport.runtime.sandbox.choice import examine
from sallyport.runtime.sandbox.sandboxed import SandboxDriver

RESULTS = Path(__file__).resolve().parents[1] / "results"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bench"
WARM_CALLS = 200
# Node processes of the stock are made anew a moment after one was taken.
REFILLED_AFTER_S = 1.0


def main() -> None:
    read = argparse.ArgumentParser(
        prog="python -m bench.runtime", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    read.add_argument("--short", action="store_true", help="two rounds, ten installations")
    read.add_argument("--rounds", type=int, default=15)
    read.add_argument("--installations", type=int, default=200)
    read.add_argument("--out", type=Path, default=RESULTS)
    read.add_argument("--no-others", action="store_true", help="do not install functions-framework")
    given = read.parse_args()
    if given.short:
        given.rounds, given.installations = 2, 10
    report = asyncio.run(measure(given.rounds, given.installations, others=not given.no_others))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "runtime.json").write_text(report.as_json())
    (given.out / "runtime.md").write_text(report.as_markdown())
    print(report.as_markdown())


async def measure(rounds: int, installations: int, *, others: bool) -> Report:
    """Run every contender and gather what came out."""
    report = Report(machine(), rounds, WARM_CALLS)
    node = _node(report)
    contenders: list[Any] = [fresh_python()]
    if node is not None:
        contenders.append(fresh_node(node.path))
    drivers: list[str] = ["plain process", "sandbox"]
    problem = _sandbox_problem()
    if problem:
        report.notes.append(f"No sandbox on this host: {problem}.")
        drivers.remove("sandbox")
    for driver in drivers:
        contenders.append(_ours("Python", driver, node, 64))
        if node is not None:
            contenders.append(_ours("Node", driver, node, 64))
    if others:
        framework = await asyncio.to_thread(install_functions_framework, CACHE)
        if framework is None:
            report.notes.append("functions-framework could not be installed.")
        else:
            contenders.append(framework)
    try:
        await _rounds(contenders, rounds, report)
    finally:
        for each in contenders:
            await each.close()
    for driver in drivers:
        await _many(_ours("Python", driver, None, installations), installations, report)
    return report


async def _rounds(contenders: list[Any], rounds: int, report: Report) -> None:
    shuffled = random.Random(7)
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in tuple(contenders):
        if hasattr(each, "warm"):
            try:
                await each.warm()
            except AssertionError as failed:
                report.notes.append(f"{each.name} is left out: {failed}")
                contenders.remove(each)
                await each.close()
    for _ in range(rounds):
        order = list(contenders)
        shuffled.shuffle(order)
        for each in order:
            for kind in ("first_of_version", "first_of_installation"):
                if hasattr(each, kind):
                    await asyncio.sleep(REFILLED_AFTER_S if isinstance(each, Ours) else 0)
                    taken[each.name, kind].append(await getattr(each, kind)())
            if hasattr(each, "warm"):
                taken[each.name, "warm"] += [await each.warm() for _ in range(WARM_CALLS)]
    for each in contenders:
        held = each.idle_memory() if hasattr(each, "idle_memory") else None
        report.add(each.name, {k: taken[each.name, k] for n, k in taken if n == each.name}, held)


async def _many(ours: Ours, installations: int, report: Report) -> None:
    """Every one of many installations called once, four at a time; then once more each."""
    try:
        targets = [ours.target() for _ in range(installations)]
        turns = asyncio.Semaphore(4)

        async def call(target: Any) -> float:
            async with turns:
                return await ours.call(target)

        started = time.perf_counter()
        first = await asyncio.gather(*(call(each) for each in targets))
        seconds = time.perf_counter() - started
        again = [await ours.call(each) for each in targets]
        report.add_many(ours.name, installations, seconds, first, again, ours.all_memory())
    finally:
        await ours.close()


def _ours(language: str, driver: str, node: NodeProgram | None, workers: int) -> Ours:
    runtime = "python3" if language == "Python" else "nodejs20.x"
    made: Any = PlainDriver()
    if driver == "sandbox":
        made = SandboxDriver((node.path, SCRIPTS) if node is not None else ())
        made.open()
    return Ours(f"Sallyport, {language}, {driver}", made, runtime, node, workers)


def _node(report: Report) -> NodeProgram | None:
    try:
        return find_node("")
    except NoNode as missing:
        report.notes.append(f"No Node: {missing}")
        return None


def _sandbox_problem() -> str:
    driver = SandboxDriver()
    with contextlib.closing(driver):
        return examine(driver).problem


if __name__ == "__main__":
    main()
