"""`lint` and the local half of `custom-scopes create`, contract sections (b.4), (c.3)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_world import Terminal

import sallyport.cli

TEMPLATE = Path(sallyport.cli.__file__).parent / "templates" / "python-rest-api"


@pytest.fixture
def app(shell: Terminal) -> Terminal:
    """The template's app, not registered."""
    shutil.copytree(TEMPLATE, shell.folder, dirs_exist_ok=True)
    return shell


def edit(app: Terminal, old: str, new: str, file: str = "manifest.yml") -> None:
    path = app.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_template_is_clean(app: Terminal) -> None:
    assert app.out("lint") == "✔ No issues found\n"


def test_findings_stand_in_columns_and_are_counted(app: Terminal) -> None:
    edit(app, "operation: GET", "operation: FETCH")
    edit(app, "function: putNote", "function: putNotes")
    done = app.run("lint", exit_code=3)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("manifest.yml:13:18  error    apiRoute property operation 'FETCH'")
    assert lines[0].endswith("(valid-document-required)")
    assert "apiRoute references undefined function module with key 'putNotes'" in done.stdout
    assert lines[-1].startswith("2 errors, ")


def test_warnings_alone_are_fine(app: Terminal) -> None:
    edit(app, "- write:note:custom", "- read:note:custom")
    out = app.out("lint")
    assert "warning" in out
    assert "0 errors, " in out


def test_findings_as_json(app: Terminal) -> None:
    edit(app, "operation: GET", "operation: FETCH")
    found = json.loads(app.run("lint", "--json", exit_code=3).stdout)
    assert {"file", "line", "column", "level", "reference", "message", "fix"} == set(found[0])
    assert (found[0]["line"], found[0]["column"]) == (13, 18)


def test_forge_would_not_take_it(app: Terminal) -> None:
    out = app.run("lint", "--forge", exit_code=3).stdout
    assert "(forge-compatible)" in out
    assert "app.runtime" in out or "'python3'" in out


def test_fix_renames_misspelt_keys_and_nothing_else(app: Terminal) -> None:
    edit(app, "operation: GET", "method: GET  # the verb")
    edit(app, "    - key: get-note", '    - "kye": get-note')
    before = (app.folder / "manifest.yml").read_text()
    done = app.run("lint", "--fix")
    after = (app.folder / "manifest.yml").read_text()
    assert after == before.replace("method: GET", "operation: GET").replace('"kye"', '"key"')
    assert "renamed 'method' to 'operation'" in done.stderr


def test_fix_leaves_a_broken_file_alone(app: Terminal) -> None:
    (app.folder / "manifest.yml").write_text("app: [\n")
    app.run("lint", "--fix", exit_code=3)
    assert (app.folder / "manifest.yml").read_text() == "app: [\n"


def test_variables_of_the_manifest_come_from_the_process(app: Terminal) -> None:
    edit(app, "app:\n", "environment:\n  variables:\n    - NOTES\napp:\n")
    edit(app, "path: /notes\n", "path: /${NOTES}\n")
    assert "variable 'NOTES' is not set" in app.run("lint", exit_code=3).stdout
    app.run("lint", NOTES="notes")


def test_custom_scopes_that_cannot_be_read(app: Terminal) -> None:
    said = app.refusal("custom-scopes", "create", "-f", "nowhere.yaml")
    assert said.startswith("Error: Failed to read file at nowhere.yaml: No such file")


def test_custom_scopes_that_are_not_yaml(app: Terminal) -> None:
    (app.folder / "custom-scopes.yaml").write_text("version: [1\n")
    said = app.refusal("custom-scopes", "create", exit_code=3).splitlines()
    assert said[0] == "Error: Failed to parse YAML file:"
    assert said[1].startswith("- ")


def test_custom_scopes_that_are_not_valid(app: Terminal) -> None:
    (app.folder / "custom-scopes.yaml").write_text(
        'version: 1\nscopes:\n  "read:note":\n    description: Read.\n'
    )
    said = app.refusal("custom-scopes", "create", exit_code=3)
    assert said.startswith('Error: Validation failed for input:\n{\n  "version": 1,\n')
    assert "\nErrors:\n- " in said


def test_a_folder_without_permission_is_no_traceback(app: Terminal) -> None:
    (app.folder / "manifest.yml").unlink()
    (app.folder / "manifest.yml").mkdir()
    said = app.refusal("lint")
    assert "manifest.yml: Is a directory." in said
