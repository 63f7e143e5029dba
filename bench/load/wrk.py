"""One run of wrk, as numbers. Our scripts print them as JSON in their `done` function."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load.cores import Cores

SCRIPTS = Path(__file__).resolve().parent
_MARK = "measured "


class NoWrk(Exception):
    """There is no wrk; the text says where it comes from."""


@dataclass(frozen=True, slots=True)
class Run:
    """Requests a second and milliseconds; `failed` counts answers that are not 2xx and errors."""

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


def require_wrk() -> None:
    """Raises `NoWrk`."""
    if shutil.which("wrk") is None:
        raise NoWrk("The load comes from wrk. Install it (Debian: scripts/ensure-program wrk).")


def run_wrk(
    cores: Cores,
    url: str,
    script: Path,
    *,
    connections: int,
    seconds: float,
    told: Mapping[str, str] | None = None,
) -> Run:
    """Load a server from one thread; `told` are variables of the script's environment.

    Raises `RuntimeError` where wrk itself fails.
    """
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"),
        *("-s", str(script), url),
    ]
    done = subprocess.run(
        cores.for_load(command),
        env={"PATH": "/usr/bin:/bin", "LUA_PATH": f"{SCRIPTS}/?.lua", **(told or {})},
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode != 0 or len(lines) != 1:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    return Run(**json.loads(lines[0].removeprefix(_MARK)))
