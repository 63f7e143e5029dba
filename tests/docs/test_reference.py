"""The reference says what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from sallyport.model.decision import GATES
from sallyport.store.schema import metadata

ROOT = Path(__file__).resolve().parents[2]


def _generator(name: str = "reference") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("name", sorted(GENERATOR.PAGES))
def test_generated_pages_are_current(name: str) -> None:
    written = (GENERATOR.REFERENCE / name).read_text()
    assert written == GENERATOR.PAGES[name](), "run: .venv/bin/python scripts/reference.py"


def test_the_table_of_standards_is_current() -> None:
    standards = _generator("standards")
    assert standards.PAGE.read_text() == standards.page(), (
        "run: .venv/bin/python scripts/standards.py"
    )


def test_every_table_of_the_store_is_described_and_no_other() -> None:
    page = (GENERATOR.REFERENCE / "storage.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(metadata.tables)


def test_the_readme_shows_the_gates_in_their_order() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (\w+) \|", readme.partition("a refusal")[2], re.M)
    assert tuple(rows[: len(GATES)]) == GATES


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []
