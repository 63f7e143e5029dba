"""`src/<module>.api.yaml`: notes for callers, from untrusted bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_samples import MANIFEST, read, with_function

from sallyport.manifest.api_notes import LARGEST, NotesRead, from_json, read_api_notes, to_json
from sallyport.model.api_notes import BodyNotes, ParameterNotes

NAME = {"type": "string", "minLength": 1}
NOTES: dict[str, Any] = {
    "run": {
        "summary": "Read an a",
        "description": "Reads one a.\nOr none.",
        "path": {"id": {"schema": {"type": "integer"}, "example": 7}},
        "query": {"name": {"description": "Whose", "required": True, "schema": NAME}},
        "request": {"schema": {"type": "object", "properties": {"$id": NAME}}},
        "responses": {"200": {"description": "It", "example": {"a": [1, None]}}},
    }
}


def notes(data: Any, of: dict[str, Any] = MANIFEST) -> NotesRead:
    manifest = read(of).manifest
    assert manifest is not None
    files = {"src/index.api.yaml": data if isinstance(data, bytes) else json.dumps(data).encode()}
    return read_api_notes(manifest, files.get)


def test_what_a_file_says_is_kept_by_handler() -> None:
    found = notes(NOTES)
    assert found.diagnostics == ()
    only = found.notes["index.run"]
    assert (only.summary, only.description) == ("Read an a", "Reads one a.\nOr none.")
    assert only.query == {"name": ParameterNotes("Whose", True, NAME)}
    assert only.path["id"].example == 7
    assert only.responses == {"200": BodyNotes("It", example={"a": [1, None]})}
    assert from_json(to_json(found.notes)) == found.notes


def test_files_lie_beside_their_modules() -> None:
    manifest = read(with_function(handler="people/search.run")).manifest
    assert manifest is not None
    asked: list[str] = []
    assert read_api_notes(manifest, lambda name: asked.append(name)).notes == {}
    assert asked == ["src/people/search.api.yaml"]


def test_yaml_says_where() -> None:
    found = notes(b"run:\n  sumary: x\n")
    (only,) = found.diagnostics
    assert (only.file, only.line, only.column, only.level) == ("src/index.api.yaml", 2, 3, "error")
    assert only.fix == "Did you mean 'summary'?"
    assert found.notes == {}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"query": {"a": {"schema": {"type": "strange"}}}}, "no JSON Schema"),
        ({"query": {"a": {"schema": {"minLength": "x"}}}}, "no JSON Schema"),
        ({"request": {"schema": {"properties": {"a": {"$ref": "#/x"}}}}}, "'$ref'"),
        ({"responses": {"200": {"schema": {"$id": "https://evil.test/"}}}}, "'$id'"),
        ({"responses": {"999": {}}}, "additional property '999'"),
        ({"query": {"a b": {}}}, "additional property 'a b'"),
        ({"summary": "x" * 121}, "more than 120 characters"),
        ({"summary": " x"}, "must match pattern"),
        ({"request": {"schema": []}}, "must be object"),
    ],
)
def test_what_is_refused(part: dict[str, Any], message: str) -> None:
    found = notes({"run": part})
    assert found.notes == {}
    assert [each.level for each in found.diagnostics] == ["error"], found.diagnostics
    assert message in found.diagnostics[0].message


def test_notes_of_no_function_are_a_warning() -> None:
    found = notes({"run": {"summary": "Run"}, "walk": {}})
    assert list(found.notes) == ["index.run"]
    assert [each.level for each in found.diagnostics] == ["warning"]
    assert "'index.walk'" in found.diagnostics[0].message


def test_a_large_file_is_not_read() -> None:
    (only,) = notes(b"#" * (LARGEST + 1)).diagnostics
    assert "larger than 128 KB" in only.message


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    found = notes(data)
    assert found.notes == {} or found.diagnostics is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "$ref", "items", "properties", "enum", "pattern", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_schema_breaks_it(schema: Any) -> None:
    found = notes({"run": {"request": {"schema": schema}}})
    assert bool(found.notes) is (found.diagnostics == ())
