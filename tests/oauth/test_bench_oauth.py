"""The benchmark of the token endpoint runs, in its short form, and writes what it found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benching import bench, measured


@pytest.mark.skipif(shutil.which("wrk") is None, reason="scripts/ensure-program wrk installs wrk")
def test_the_short_benchmark_issues_and_refreshes_without_a_failure(tmp_path: Path) -> None:
    found, page = measured("oauth", "--no-others", out=tmp_path)
    contenders = {each["kind"]: each for each in found["contenders"]}
    assert contenders.keys() == {"grant", "refresh"}
    for each in contenders.values():
        assert each["failed"] == 0
        assert 0 < each["rate"]["min"] <= each["rate"]["median"] <= each["rate"]["max"]
        assert 0 < each["p50_ms"]["median"] <= each["p99_ms"]["median"]
        assert each["cpu_us"]["median"] > 0
    assert "| client credentials |" in page


def test_without_wrk_the_benchmark_says_where_it_comes_from(tmp_path: Path) -> None:
    done = bench("oauth", "--short", "--no-others", out=tmp_path, env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "scripts/ensure-program wrk" in done.stderr
    assert not (tmp_path / "oauth.md").exists()
