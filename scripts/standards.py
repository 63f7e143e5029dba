"""Write docs/reference/standards.md: which test holds which requirement of which standard.

`python scripts/standards.py` writes it from tests/rfc, where each test has the section in its name,
and the requirement there or in its docstring; the tests compare it with what is there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "standards.md"
TESTS = ROOT / "tests" / "rfc"

HEAD = """\
# Standards

What of which standard holds here, and the test that shows it, over HTTP against a live server. The
name of a test has the section; `RFC n` before it is another standard that the test is about.
"""
_NAME = re.compile(r"test_(?:rfc(\d+)_)?section_((?:\d+_)+)(?:and_(?:\d+_)+)?(.+)")


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for path in sorted(TESTS.glob("test_rfc*.py"), key=lambda each: int(each.stem[8:])):
        tree = ast.parse(path.read_text())
        title = (ast.get_docstring(tree) or "").split("\n\n")[0].split(". ")[0].rstrip(".")
        parts.append(f"\n## {' '.join(title.split())}\n\n| section | requirement | test |\n")
        parts.append("| --- | --- | --- |\n")
        rows = sorted(_rows(tree), key=lambda row: ([int(n) for n in row[0].split(".")], row[3]))
        for section, other, words, name in rows:
            place = f"RFC {other} {section}" if other else section
            link = f"[`{name}`](../../tests/rfc/{path.name})"
            parts.append(f"| {place} | {words} | {link} |\n")
    return "".join(parts)


def _rows(tree: ast.Module) -> Iterator[tuple[str, str, str, str]]:
    """Section, other standard, requirement and name of each test."""
    for each in tree.body:
        if not isinstance(each, ast.FunctionDef) or not each.name.startswith("test_"):
            continue
        found = _NAME.fullmatch(each.name)
        if found is None:
            raise SystemExit(f"{each.name} names no section")
        words = found[3].replace("_", " ")
        said = ast.get_docstring(each)
        if said:
            words += f" ({' '.join(said.split()).rstrip('.')})"
        yield found[2].strip("_").replace("_", "."), found[1] or "", words, each.name


def main() -> None:
    PAGE.write_text(page())
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
