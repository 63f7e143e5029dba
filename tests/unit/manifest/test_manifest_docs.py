"""The reference names every field, reference and limit, and its examples are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sallyport.manifest import document, findings, route_rules
from sallyport.manifest.custom_scopes import read_custom_scopes
from sallyport.manifest.lint import lint
from sallyport.manifest.load import read_manifest
from sallyport.manifest.schema import schema

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = (ROOT / "docs" / "reference" / "manifest.md").read_text()
SCOPES = (ROOT / "docs" / "reference" / "custom-scopes.md").read_text()
SOURCES = ROOT / "src" / "sallyport" / "manifest"


def example(page: str) -> bytes:
    found = re.search(r"```yaml\n(.*?)```", page, re.S)
    assert found is not None
    return found[1].encode()


def test_the_examples_have_no_findings() -> None:
    read = read_manifest(example(MANIFEST))
    scopes = read_custom_scopes(example(SCOPES))
    assert read.diagnostics == ()
    assert lint(read) == ()
    assert scopes.diagnostics == ()


def test_every_field_is_named() -> None:
    named = set(re.findall(r"[A-Za-z]+", " ".join(re.findall(r"`([^`\n]+)`", MANIFEST))))
    known = schema("manifest")
    wanted: set[str] = {*known["properties"], *known["properties"]["app"]["properties"]}
    for part in ("apiRoute", "function", "webtrigger", "scheduledTrigger", "trigger", "consumer"):
        wanted |= {part, *known["$defs"][part]["properties"]}
    assert wanted - named == set()
    scope: dict[str, Any] = schema("custom-scopes")["$defs"]["scope"]["properties"]
    assert all(f"`{field}`" in SCOPES for field in scope)


def test_every_reference_is_named() -> None:
    code = "".join(path.read_text() for path in SOURCES.glob("*.py"))
    used = set(re.findall(r'"((?:valid-[a-z-]+|[a-z]+-[a-z]+(?:-[a-z]+)?))"', code))
    used = {name for name in used if name.endswith(("required", "module", "practice", "findings"))}
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", MANIFEST, re.M))
    assert used
    assert used | {"forge-compatible"} == listed & (used | {"forge-compatible"})


def test_every_limit_is_named() -> None:
    for limit in (
        document.MAX_BYTES,
        document.MAX_LINES,
        document.MAX_LINE,
        document.MAX_NODES,
        document.MAX_DEPTH,
        findings.MOST_FINDINGS,
        route_rules.MOST_SEGMENTS,
        schema("manifest")["properties"]["modules"]["properties"]["apiRoute"]["maxItems"],
    ):
        assert re.search(rf"\b{limit}\b", MANIFEST), limit
