"""The house keeps its rules: sizes, names, docstrings, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MOST_LINES = 500


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_file_is_longer_than_the_cap() -> None:
    counted = {path: len(path.read_text().splitlines()) for path in tracked_python()}
    assert {str(p): n for p, n in counted.items() if n > MOST_LINES} == {}


def tracked_python() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.exists()]


def test_no_file_is_named_for_nothing() -> None:
    vague = {"utils.py", "helpers.py", "manager.py", "common.py", "misc.py"}
    assert [path for path in tracked_python() if path.name in vague] == []


@pytest.mark.parametrize(
    "package",
    sorted((ROOT / "src" / "sallyport").glob("*/__init__.py")),
    ids=lambda path: path.parent.name,
)
def test_every_room_says_what_it_owns(package: Path) -> None:
    text = ast.get_docstring(ast.parse(package.read_text())) or ""
    assert re.search(r"\b[Oo]wns?\b", text), f"{package.parent.name} does not say what it owns"
    assert len(text.splitlines()) >= 3


def test_nothing_of_one_machine_is_in_the_project() -> None:
    traces = re.compile(r"/work/|/root/|\.\./shared")
    found = []
    for path in tracked():
        if path == Path(__file__) or not path.exists() or path.suffix in {".png", ".ico"}:
            continue
        if traces.search(path.read_text(errors="replace")):
            found.append(str(path.relative_to(ROOT)))
    assert found == []


def test_locks_name_no_registry() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert re.search(r"index-url|find-links|https?://", path.read_text()) is None, path
    for path in tracked():
        if path.name == "package-lock.json":
            assert '"resolved"' not in path.read_text(), path


def test_nothing_is_left_for_later_in_the_sources() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
    assert [str(path) for path in SOURCES if marks.search(path.read_text())] == []
