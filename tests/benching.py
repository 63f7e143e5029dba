"""Benchmarks as their commands run them, in the short form that the suite tries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def bench(
    name: str, *arguments: str, out: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m bench.<name>`, which writes to `out`."""
    return subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *arguments, "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        env=env,
    )


def measured(name: str, *arguments: str, out: Path) -> tuple[Any, str]:
    """What the short benchmark wrote, as data and as the page for people."""
    done = bench(name, "--short", *arguments, out=out)
    assert done.returncode == 0, done.stderr
    return json.loads((out / f"{name}.json").read_text()), (out / f"{name}.md").read_text()
