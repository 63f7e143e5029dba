"""Runs of `bench.load.paced` in a process of its own, on the processor of the load."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.load.cores import Cores
from bench.load.wrk import Run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Paced:
    """Calls of one URL, `rate` of them a second."""

    url: str
    token: str
    rate: int
    connections: int


def run_paced(cores: Cores, calls: Paced, seconds: float, beside: Paced | None = None) -> list[Run]:
    """The calls that are measured, evenly spaced, and at random moments those beside them.

    Raises `RuntimeError` where a connection fails.
    """
    command = [
        *(sys.executable, "-m", "bench.load.paced", calls.url, "--rate", str(calls.rate)),
        *("--connections", str(calls.connections), "--seconds", str(seconds)),
    ]
    tokens = [calls.token]
    if beside is not None:
        command += ["--beside", beside.url, "--beside-rate", str(beside.rate)]
        command += ["--beside-connections", str(beside.connections)]
        tokens.append(beside.token)
    done = subprocess.run(
        cores.for_load(command),
        cwd=ROOT,
        input="\n".join(tokens),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{calls.url}: {done.stderr}")
    return [Run(**json.loads(line)) for line in done.stdout.splitlines()]
