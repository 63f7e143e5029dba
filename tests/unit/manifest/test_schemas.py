"""The JSON Schema files say the same as the checks, to an editor that knows nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from manifest_samples import MANIFEST, read, with_app, with_function, with_route
from test_manifest_messages import BAD_ROUTES

from sallyport.manifest import rules
from sallyport.manifest.custom_scopes import MOST_SCOPES, read_custom_scopes
from sallyport.manifest.paths import LONGEST_PATH, PATH_PATTERN
from sallyport.manifest.schema import ecma_pattern, schema
from sallyport.model.manifest import OPERATIONS, RUNTIMES
from sallyport.scopes.grammar import CUSTOM_SCOPE_PATTERN

ROUTE = schema("manifest")["$defs"]["apiRoute"]["properties"]


@pytest.mark.parametrize("name", ["manifest", "custom-scopes", "api-notes"])
def test_the_files_are_schemas_of_2020_12(name: Any) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(plain(name).schema)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"].endswith(f"/{name}.schema.json")


def test_words_that_stand_in_code_and_in_the_schema() -> None:
    assert ROUTE["path"]["pattern"] == PATH_PATTERN
    assert ROUTE["path"]["maxLength"] == LONGEST_PATH
    assert tuple(ROUTE["operation"]["enum"]) == OPERATIONS
    assert ROUTE["scopes"]["items"]["pattern"] == CUSTOM_SCOPE_PATTERN
    runtime = schema("manifest")["properties"]["app"]["properties"]["runtime"]["properties"]
    assert tuple(runtime["name"]["enum"]) == RUNTIMES
    assert set(rules.RUN_TYPES) == set(schema("manifest")["properties"]["modules"]["properties"])
    scopes = schema("custom-scopes")["properties"]["scopes"]
    assert list(scopes["patternProperties"]) == [CUSTOM_SCOPE_PATTERN]
    assert scopes["maxProperties"] == MOST_SCOPES


def plain(name: Any) -> Draft202012Validator:
    """The schema as a stock validator reads it; it knows no \\p, so that pattern is spelt out."""
    text = json.dumps(schema(name)).replace(r"[\\p{Alpha}\\d_-]", r"[\\w-]")
    return Draft202012Validator(json.loads(text))


GOOD = [
    MANIFEST,
    with_route(path="/a/{id}/*/**"),
    with_route(scopes=[f"read:a{n}:custom" for n in range(20)]),
    with_route(rateLimit={"perMinute": 1_000_000, "per": "site"}),
    with_route(cors={"origins": ["https://a.test", "http://localhost:3000"], "headers": ["X-A"]}),
    with_function(handler="people/search.run", timeoutSeconds=900),
    with_app(runtime={"name": "nodejs20.x", "memoryMB": 64}),
]
BAD = [
    *(with_route(**fields) for fields, _ in BAD_ROUTES if fields.get("key") != "a\n"),
    with_function(timeoutSeconds=901),
    with_function(handler="run"),
    with_app(runtime={"name": "python2"}),
    with_app(id="x"),
    {**MANIFEST, "more": 1},
]


@pytest.mark.parametrize("data", GOOD)
def test_what_the_checks_take_the_schema_takes(data: dict[str, Any]) -> None:
    assert read(data).manifest is not None
    assert plain("manifest").is_valid(data)


@pytest.mark.parametrize("data", BAD)
def test_what_the_checks_refuse_the_schema_refuses(data: dict[str, Any]) -> None:
    assert read(data).manifest is None
    assert not plain("manifest").is_valid(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"version": 1, "scopes": {}},
        {"version": 2, "scopes": {"a:custom": {"description": "x"}}},
        {"version": 1, "scopes": {"a": {"description": "x"}}},
        {"version": 1, "scopes": {"a:custom": {"description": " "}}},
        {"version": 1, "scopes": {"a:custom": {"description": "x", "more": 1}}},
        {"version": 1, "scopes": {"a:custom": {"description": "x"}}},
    ],
)
def test_custom_scopes_by_both(data: dict[str, Any]) -> None:
    found = read_custom_scopes(json.dumps(data).encode()).scopes
    assert plain("custom-scopes").is_valid(data) == (found is not None)


def test_every_pattern_is_one_that_can_be_translated() -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema("manifest")))
    assert len(patterns) > 10
    for pattern in map(json.loads, patterns):
        assert r"\p" not in ecma_pattern(pattern).pattern


def test_anchors_mean_the_whole_text() -> None:
    assert ecma_pattern("^a$").search("a\n") is None
    assert ecma_pattern(r"^a\$$").search("a$") is not None


def test_every_field_of_a_route_is_described() -> None:
    assert all("description" in field or "$ref" in field for field in ROUTE.values())
