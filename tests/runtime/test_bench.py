"""The benchmark of the runtime runs, in its short form, and writes what it found."""

from __future__ import annotations

from pathlib import Path

from benching import measured as measure


def test_the_short_benchmark_measures_every_contender_that_this_host_has(tmp_path: Path) -> None:
    found, page = measure("runtime", "--no-others", out=tmp_path)
    measured = {each["name"]: each for each in found["contenders"]}
    assert "fresh `python -I`" in measured
    ours = measured["Sallyport, Python, plain process"]
    for kind in ("first_of_version", "first_of_installation", "warm"):
        spread = ours["ms"][kind]
        assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert 0 < ours["idle_mb"]["uss"] <= ours["idle_mb"]["pss"]
    assert found["many"][0]["installations"] == 10
    assert f"| {ours['name']} |" in page
