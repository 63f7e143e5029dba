"""The benchmark of the runtime runs, in its short form, and writes what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_short_benchmark_measures_every_contender_that_this_host_has(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.runtime", "--short", "--no-others", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "runtime.json").read_text())
    measured = {each["name"]: each for each in found["contenders"]}
    assert "fresh `python -I`" in measured
    ours = measured["Sallyport, Python, plain process"]
    for kind in ("first_of_version", "first_of_installation", "warm"):
        spread = ours["ms"][kind]
        assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert 0 < ours["idle_mb"]["uss"] <= ours["idle_mb"]["pss"]
    assert found["many"][0]["installations"] == 10
    assert f"| {ours['name']} |" in (tmp_path / "runtime.md").read_text()
