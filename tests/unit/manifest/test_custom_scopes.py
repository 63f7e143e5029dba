"""Contract section (c.1), and what of (c.2) and (c.3) is decided without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sallyport.manifest.custom_scopes import failure_text, read_custom_scopes
from sallyport.model.manifest import ScopeDeclaration

GOOD: dict[str, Any] = {
    "version": 1,
    "scopes": {"read:a:custom": {"description": "Read a.", "displayName": "Read"}},
}


def found(data: Any) -> list[str]:
    return [d.message for d in read_custom_scopes(json.dumps(data).encode()).diagnostics]


def scope(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "scopes": {"read:a:custom": fields}}


def many(count: int) -> dict[str, Any]:
    return {
        "version": 1,
        "scopes": {f"read:a{n}:custom": {"description": "x"} for n in range(count)},
    }


def test_declarations() -> None:
    text = b"""\
version: 1
scopes:
  read:a:custom:
    description: Read a.
    displayName: Read
  write:a:custom:
    description: >-
      Write
      a.
"""
    read = read_custom_scopes(text)
    assert read.diagnostics == ()
    assert read.scopes == (
        ScopeDeclaration("read:a:custom", "Read a.", "Read"),
        ScopeDeclaration("write:a:custom", "Write a.", None),
    )


@pytest.mark.parametrize("version", [1, 1.0])
def test_version_one(version: float) -> None:
    assert found({**GOOD, "version": version}) == []


PATTERN = '"^\\S[\\s\\S]*\\S$|^\\S$"'


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        ({"scopes": GOOD["scopes"]}, ["required: must have required property 'version'"]),
        ({"version": 1}, ["required: must have required property 'scopes'"]),
        (
            {**GOOD, "more": 1},
            ["additionalProperties: must NOT have additional property 'more'"],
        ),
        ({**GOOD, "version": 2}, ["/version: must be equal to one of the allowed values '1'"]),
        ({**GOOD, "version": "1"}, ["/version: must be number"]),
        ({**GOOD, "version": True}, ["/version: must be number"]),
        ({"version": 1, "scopes": {}}, ["/scopes: must NOT have fewer than 1 properties"]),
        ({"version": 1, "scopes": []}, ["/scopes: must be object"]),
        (many(21), ["/scopes: must NOT have more than 20 properties"]),
        (
            {"version": 1, "scopes": {"read:a": {"description": "x"}}},
            ["/scopes: must NOT have additional property 'read:a'"],
        ),
        (scope(), ["/scopes/read:a:custom: must have required property 'description'"]),
        (
            scope(description=""),
            [
                "/scopes/read:a:custom/description: must NOT have fewer than 1 characters",
                f"/scopes/read:a:custom/description: must match pattern {PATTERN}",
            ],
        ),
        (
            scope(description=" x"),
            [f"/scopes/read:a:custom/description: must match pattern {PATTERN}"],
        ),
        (
            scope(description="x\n"),
            [f"/scopes/read:a:custom/description: must match pattern {PATTERN}"],
        ),
        (
            scope(description="x" * 2049),
            ["/scopes/read:a:custom/description: must NOT have more than 2048 characters"],
        ),
        (
            scope(description="x", displayName="y" * 101),
            ["/scopes/read:a:custom/displayName: must NOT have more than 100 characters"],
        ),
        (
            scope(description="x", displayName="y\nz"),
            ['/scopes/read:a:custom/displayName: must match pattern "^\\S.*\\S$|^\\S$"'],
        ),
        (
            scope(description="x", title="y"),
            ["/scopes/read:a:custom: must NOT have additional property 'title'"],
        ),
        (scope(description=5), ["/scopes/read:a:custom/description: must be string"]),
    ],
)
def test_what_is_refused(data: dict[str, Any], messages: list[str]) -> None:
    assert sorted(found(data)) == sorted(messages)


@pytest.mark.parametrize(
    "data",
    [
        many(20),
        scope(description="x"),
        scope(description="x" * 2048),
        scope(description="a\nb", displayName="y"),
        {"version": 1, "scopes": {"x" * 93 + ":custom": {"description": "x"}}},
    ],
)
def test_what_is_just_accepted(data: dict[str, Any]) -> None:
    assert found(data) == []


def test_positions_and_fixes() -> None:
    text = b"version: 1\nscopes:\n  Read A:\n    description: x\n  read:a:custom:\n    title: x\n"
    shown = [(d.line, d.column, d.fix) for d in read_custom_scopes(text).diagnostics]
    assert shown == [
        (3, 3, "A scope name is verb:noun:custom, of letters, digits and -.:_, at most 100 long."),
        (6, 5, "Did you mean 'displayName'?"),
        (6, 5, None),
    ]


def test_failure_text_of_bad_yaml() -> None:
    read = read_custom_scopes(b"a: b: c")
    assert read.scopes is None
    assert failure_text(read, "") == (
        "Failed to parse YAML file:\n- mapping values are not allowed here"
    )


def test_failure_text_of_a_bad_document() -> None:
    read = read_custom_scopes(b"version: 1")
    assert failure_text(read, '{"version": 1}') == (
        'Validation failed for input:\n{"version": 1}\nErrors:\n'
        "- required: must have required property 'scopes'"
    )


def test_a_scope_named_twice() -> None:
    text = b"version: 1\nscopes:\n  a:custom: {description: x}\n  a:custom: {description: y}\n"
    (finding,) = read_custom_scopes(text).diagnostics
    assert finding.message == "duplicate key 'a:custom' (first on line 3)"
    assert (finding.line, finding.column) == (4, 3)
