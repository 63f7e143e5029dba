"""The benchmark of noisy neighbours runs, in its short form, and writes what it found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="The load comes from wrk.")
def test_the_short_benchmark_measures_a_site_beside_each_load(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.neighbour", "--short", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    turns = json.loads((tmp_path / "neighbour.json").read_text())["turns"]
    assert {each["beside"] for each in turns} == {
        "nothing",
        "half its limit",
        "ten times its limit",
    }
    for each in turns:
        # Whatever its neighbour does, every call of the quiet site is answered.
        assert each["failed"] == 0
        assert 0 < each["p50_ms"] <= each["p99_ms"]
    assert "| ten times its limit |" in (tmp_path / "neighbour.md").read_text()
