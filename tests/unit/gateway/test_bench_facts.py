"""The benchmark of facts runs, in its short form, and writes what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_short_benchmark_measures_calls_in_two_databases(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.facts", "--short", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "facts.json").read_text())
    few, many = found["results"]
    assert (few["grants"], many["grants"]) == (100, 1_000)
    for each in (few, many):
        assert len(each["warm_us"]) == len(each["cold_us"]) == 2
        assert min(each["warm_us"]) > 0
        assert each["held_after_all"] <= found["bound"]
    assert "| 100 | 1,000 |" in (tmp_path / "facts.md").read_text()
