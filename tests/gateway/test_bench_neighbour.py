"""The benchmark of noisy neighbours runs, in its short form, and writes what it found."""

from __future__ import annotations

from pathlib import Path

from benching import measured


def test_the_short_benchmark_measures_a_site_beside_each_load(tmp_path: Path) -> None:
    found, page = measured("neighbour", out=tmp_path)
    turns = found["turns"]
    assert {each["beside"] for each in turns} == {
        "nothing",
        "half its limit",
        "ten times its limit",
    }
    for each in turns:
        # Whatever its neighbour does, every call of the quiet site is answered.
        assert each["failed"] == 0
        assert 0 < each["p50_ms"] <= each["p99_ms"]
    assert "| ten times its limit |" in page
