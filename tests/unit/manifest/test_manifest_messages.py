"""Every row of contract section (b.4), and the rules of (b.1) behind them."""

from __future__ import annotations

from typing import Any

import pytest
from manifest_samples import (
    GONE,
    MANIFEST,
    ROUTE,
    errors,
    manifest,
    messages,
    read,
    route,
    with_app,
    with_function,
    with_modules,
    with_route,
    with_routes,
)

from sallyport.manifest.load import read_manifest
from sallyport.manifest.paths import PATH_PATTERN
from sallyport.manifest.schema import schema
from sallyport.manifest.source import Files

DOCUMENT = "valid-document-required"
MODULE = "valid-module-required"
SCOPE_PATTERN = '"^[-.:_a-zA-Z0-9]{1,93}:custom$"'
VERBS = "'GET', 'POST', 'PUT', 'DELETE', 'PATCH'"


def test_the_sample_is_valid() -> None:
    assert read(MANIFEST).diagnostics == ()
    assert read(MANIFEST).manifest is not None


@pytest.mark.parametrize("field", ["key", "path", "operation", "function", "scopes"])
def test_missing_field(field: str) -> None:
    found = read(with_route(**{field: GONE}))
    assert errors(found.diagnostics) == [
        (DOCUMENT, f"apiRoute must have required property '{field}'")
    ]
    assert found.manifest is None


def test_accept_may_be_missing() -> None:
    found = read(with_route(accept=GONE)).manifest
    assert found is not None
    assert found.routes[0].accept == ()


ORIGIN = schema("manifest")["$defs"]["apiRoute"]["properties"]["cors"]["properties"]["origins"][
    "items"
]["pattern"]
BAD_ROUTES: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "apiRoute should NOT have additional property 'colour'"),
    ({"rateLimit": {}}, "apiRoute property rateLimit must have required property 'perMinute'"),
    ({"rateLimit": {"perMinute": 0}}, "apiRoute rateLimit property perMinute must be >= 1"),
    (
        {"rateLimit": {"perMinute": 10**6 + 1}},
        "apiRoute rateLimit property perMinute must be <= 1000000",
    ),
    (
        {"rateLimit": {"perMinute": 1, "per": "route"}},
        "apiRoute rateLimit property per 'route' allowed values are "
        "'account', 'integration', 'site'",
    ),
    (
        {"rateLimit": {"perMinute": 1, "perHour": 1}},
        "apiRoute property rateLimit should NOT have additional property 'perHour'",
    ),
    ({"cors": {}}, "apiRoute property cors must have required property 'origins'"),
    (
        {"cors": {"origins": []}},
        "apiRoute cors property origins must NOT have fewer than 1 items",
    ),
    *(
        (
            {"cors": {"origins": [origin]}},
            f"apiRoute cors origins property 0 '{origin}' must match pattern \"{ORIGIN}\"",
        )
        for origin in (
            "null",
            "app.test",
            "https://app.test/",
            "https://APP.test",
            "https://*.test",
        )
    ),
    ({"operation": "get"}, f"apiRoute property operation 'get' allowed values are {VERBS}"),
    ({"operation": "HEAD"}, f"apiRoute property operation 'HEAD' allowed values are {VERBS}"),
    ({"path": "/a/"}, f"apiRoute property path '/a/' must match pattern \"{PATH_PATTERN}\""),
    (
        {"path": "/" + "a" * 255},
        f"apiRoute property path '/{'a' * 255}' must NOT have more than 255 characters",
    ),
    (
        {"accept": ["text/plain"]},
        "apiRoute accept property 0 'text/plain' allowed values are 'application/json'",
    ),
    ({"accept": []}, "apiRoute property accept must NOT have fewer than 1 items"),
    ({"scopes": []}, "apiRoute property scopes must NOT have fewer than 1 items"),
    (
        {"scopes": ["read:a"]},
        f"apiRoute scopes property 0 'read:a' must match pattern {SCOPE_PATTERN}",
    ),
    (
        {"scopes": ["read:a:custom", "read:a:custom"]},
        "apiRoute property scopes must NOT have duplicate items (items ## 1 and 0 are identical)",
    ),
    (
        {"scopes": [f"read:a{number}:custom" for number in range(21)]},
        "apiRoute property scopes must NOT have more than 20 items",
    ),
    ({"key": "a b"}, "apiRoute property key 'a b' must match pattern \"^[a-zA-Z0-9_-]+$\""),
    ({"key": "a\n"}, "apiRoute property key 'a\\u000a' must match pattern \"^[a-zA-Z0-9_-]+$\""),
    ({"path": 5}, "apiRoute property path must be string"),
    ({"scopes": "read:a:custom"}, "apiRoute property scopes must be array"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_ROUTES)
def test_bad_field_of_a_route(fields: dict[str, Any], message: str) -> None:
    assert errors(read(with_route(**fields)).diagnostics) == [(DOCUMENT, message)]


def test_unlicensed_access_is_refused_twice() -> None:
    assert messages(with_route(unlicensedAccess=True)) == [
        "apiRoute does not support the following Forge properties - 'unlicensedAccess'",
        "apiRoute should NOT have additional property 'unlicensedAccess'",
    ]


def test_empty_list() -> None:
    found = read(with_modules(apiRoute=[]))
    assert errors(found.diagnostics) == [(DOCUMENT, "apiRoute must NOT have fewer than 1 items")]


def test_unknown_function() -> None:
    found = read(with_route(function="rum"))
    assert errors(found.diagnostics) == [
        (MODULE, "apiRoute references undefined function module with key 'rum'")
    ]
    assert found.diagnostics[0].fix == "Did you mean 'run'?"


def test_endpoint_is_not_allowed() -> None:
    assert "apiRoute should NOT have additional property 'endpoint'" in messages(
        with_route(endpoint="remote")
    )


def test_keys_are_unique_across_all_modules() -> None:
    found = read(with_route(key="run"))
    assert errors(found.diagnostics) == [(MODULE, "found duplicate module key 'run'")]


def test_only_functions_declared() -> None:
    found = read(with_modules(apiRoute=GONE))
    assert errors(found.diagnostics) == [(MODULE, "document must have at least 1 module")]


def test_function_key_of_24_characters() -> None:
    key = "f" * 24
    data = with_function(key=key)
    data["modules"]["apiRoute"][0]["function"] = key
    assert errors(read(data).diagnostics) == [
        (MODULE, f"The function key exceeds 23 characters: ‘{key}’.")
    ]
    data["modules"]["function"][0]["key"] = data["modules"]["apiRoute"][0]["function"] = "f" * 23
    assert read(data).diagnostics == ()


@pytest.mark.parametrize("handler", ["run", "index.run.more", "../index.run", "in dex.run", "a..b"])
def test_handler_of_another_form(handler: str) -> None:
    assert errors(read(with_function(handler=handler)).diagnostics) == [
        (
            DOCUMENT,
            f"function handler property '{handler}' must be in format "
            "<module>.<function> (example: index.run).",
        )
    ]


def test_a_python_handler_is_a_python_name() -> None:
    data = with_function(handler="index.get-name")
    assert messages(data) == [
        "function handler property 'index.get-name' must be in format "
        "<module>.<function> (example: index.run)."
    ]
    data["app"]["runtime"]["name"] = "nodejs22.x"
    assert messages(data) == []


@pytest.mark.parametrize(
    ("runtime", "endings", "there"),
    [
        ("python3", "py", "src/people/index.py"),
        ("nodejs22.x", "tsx|jsx|ts|js|cjs", "src/people/index.ts"),
    ],
)
def test_handler_file_missing(runtime: str, endings: str, there: str) -> None:
    data = with_function(handler="people/index.run")
    data["app"]["runtime"]["name"] = runtime
    assert errors(read(data, source=Files(["src/index.py"])).diagnostics) == [
        (
            DOCUMENT,
            "function handler property 'people/index.run' cannot find associated file "
            f"with name 'people/index.({endings})'",
        )
    ]
    assert read(data, source=Files([there])).diagnostics == ()


def test_an_own_bundle_is_looked_for_where_it_is() -> None:
    data = with_function(handler="index.run")
    data["app"]["package"] = {"bundler": "manual@2026", "path": "./dist/"}
    assert read(data, source=Files(["dist/index.py"])).diagnostics == ()
    assert read(data, source=Files(["src/index.py"])).manifest is None


def test_timeout_over_900() -> None:
    found = read(with_function(timeoutSeconds=901))
    assert errors(found.diagnostics) == [
        (DOCUMENT, "function property timeoutSeconds must be <= 900")
    ]
    assert read(with_function(timeoutSeconds=900)).diagnostics == ()


def test_no_runtime() -> None:
    found = read(with_app(runtime=GONE))
    assert errors(found.diagnostics) == [(DOCUMENT, "app must have required property 'runtime'")]


def test_bad_runtime_lists_all_four() -> None:
    found = read(with_app(runtime={"name": "nodejs18.x"}))
    assert errors(found.diagnostics) == [
        (
            DOCUMENT,
            "app runtime property name 'nodejs18.x' allowed values are "
            "'nodejs20.x', 'nodejs22.x', 'nodejs24.x', 'python3'",
        )
    ]


@pytest.mark.parametrize("name", ["nodejs20.x", "nodejs22.x", "nodejs24.x", "python3"])
def test_runtimes(name: str) -> None:
    assert read(with_app(runtime={"name": name})).diagnostics == ()


def test_bad_app_id() -> None:
    found = read(with_app(id="my-app"))
    assert errors(found.diagnostics) == [
        (
            DOCUMENT,
            "app property id 'my-app' must match pattern \"ari:cloud:ecosystem::app/[^\\s]+\"",
        )
    ]


@pytest.mark.parametrize(
    "scopes", [["read:a:custom"], {"read:a:custom": {"allowImpersonation": True}}]
)
def test_custom_scope_in_permissions(scopes: Any) -> None:
    found = read(manifest(permissions={"scopes": scopes}))
    assert errors(found.diagnostics) == [
        (
            "valid-permissions-required",
            "Invalid 'scopes' permission in the manifest.yml file - 'read:a:custom'. "
            "Learn more about permissions at: https://go.atlassian.com/forge-permissions.",
        )
    ]


@pytest.mark.parametrize("text", ["a: b: c", "a: [", "\t- a", "%YAML 9", "a: 'x", "- a", "", "x"])
def test_bad_yaml(text: str) -> None:
    found = read_manifest(text.encode())
    (finding,) = found.diagnostics
    assert finding.reference == "valid-yaml-required"
    assert finding.message.startswith("manifest.yml failed to parse content - ")
    assert found.manifest is None


def test_all_findings_at_once_by_position() -> None:
    text = b"""\
app:
  runtime:
    name: python2
modules:
  apiRoute:
    - key: get-a
      path: /a/
      method: GET
      function: rum
      scopes: [nope]
  function:
    - key: run
      handler: run
"""
    found = read_manifest(text, "app/manifest.yml").diagnostics
    assert [(d.line, d.column, d.message.split(" '")[0]) for d in found] == [
        (3, 11, "app runtime property name"),
        (6, 7, "apiRoute must have required property"),
        (7, 13, "apiRoute property path"),
        (8, 7, "apiRoute should NOT have additional property"),
        (9, 17, "apiRoute references undefined function module with key"),
        (10, 16, "apiRoute scopes property 0"),
        (13, 16, "function handler property"),
    ]
    assert {d.file for d in found} == {"app/manifest.yml"}
    assert {d.level for d in found} == {"error"}


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("method", "Did you mean 'operation'?"),
        ("opertion", "Did you mean 'operation'?"),
        ("Path", "Did you mean 'path'?"),
        ("scope", "Did you mean 'scopes'?"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(key: str, fix: str) -> None:
    (finding,) = read(with_route(**{key: "x"})).diagnostics
    assert finding.fix == fix


def test_an_unknown_key_far_from_all_is_answered_with_the_list() -> None:
    (finding,) = read(with_route(zzz="x")).diagnostics
    assert finding.fix is not None
    assert "'key', 'path', 'operation', 'function', 'accept', 'scopes'" in finding.fix


def test_unknown_top_level_key() -> None:
    (finding,) = read(manifest(moduels={})).diagnostics
    assert finding.message == "document should NOT have additional property 'moduels'"
    assert finding.fix == "Did you mean 'modules'?"


@pytest.mark.parametrize("kind", ["apiRoutes", "ApiRoute", "api-route", "functions", "webTrigger"])
def test_a_misspelt_module_type_is_an_error(kind: str) -> None:
    found = read(with_modules(**{kind: []})).diagnostics
    assert [(d.level, d.message) for d in found] == [
        ("error", f"modules should NOT have additional property '{kind}'")
    ]


def test_a_module_type_that_is_not_run_is_a_warning() -> None:
    found = read(with_modules(**{"jira:issuePanel": [{"key": "panel", "title": "x"}]}))
    assert [d.level for d in found.diagnostics] == ["warning"]
    assert found.manifest is not None


def test_same_path_with_two_operations_is_fine() -> None:
    data = with_routes(route("get-a", "GET", "/a"), route("post-a", "POST", "/a"))
    assert read(data).diagnostics == ()


@pytest.mark.parametrize(
    ("one", "other"), [("/a", "/a"), ("/a/{x}", "/a/{y}"), ("/a/{x}", "/a/*"), ("/a/*/**",) * 2]
)
def test_two_routes_that_match_the_same_calls(one: str, other: str) -> None:
    found = read(with_routes(route("first", "GET", one), route("second", "GET", other)))
    (finding,) = found.diagnostics
    assert finding.reference == MODULE
    assert "'first'" in finding.message
    assert "'second'" in finding.message
    assert found.manifest is None


def test_a_parameter_twice_in_a_path() -> None:
    assert messages(with_route(path="/a/{x}/{x}")) == [
        "apiRoute property path '/a/{x}/{x}' must NOT have the parameter '{x}' more than once"
    ]


def test_paths_have_a_bound_in_all() -> None:
    routes = [route(f"r{n}", "GET", f"/r{n}/" + "/".join("*" * 100)) for n in range(100)]
    assert read(with_routes(*routes[:99])).diagnostics == ()
    assert messages(with_routes(*routes)) == [
        "apiRoute must NOT have more than 10000 path segments in all"
    ]


def test_routes_have_a_bound() -> None:
    routes = [{**ROUTE, "key": f"r{n}", "path": f"/r{n}"} for n in range(1001)]
    assert messages(with_routes(*routes)) == ["apiRoute must NOT have more than 1000 items"]


def test_an_app_id_without_a_uuid_is_no_id() -> None:
    found = read(with_app(id="ari:cloud:ecosystem::app/mine"))
    assert [d.level for d in found.diagnostics] == ["warning"]
    assert found.manifest is not None
    assert found.manifest.app_id is None
