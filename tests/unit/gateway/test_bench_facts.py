"""The benchmark of facts runs, in its short form, and writes what it found."""

from __future__ import annotations

from pathlib import Path

from benching import measured


def test_the_short_benchmark_measures_calls_in_two_databases(tmp_path: Path) -> None:
    found, page = measured("facts", out=tmp_path)
    few, many = found["results"]
    assert (few["grants"], many["grants"]) == (100, 10_000)
    for each in (few, many):
        assert len(each["warm_us"]) == len(each["cold_us"]) == 2
        assert min(each["warm_us"]) > 0
        assert each["held"][-1][0] <= found["bound"]
    assert set(found["ratios"]) == {"warm_us", "cold_us"}
    assert "| 1,000 | 10,000 |" in page
