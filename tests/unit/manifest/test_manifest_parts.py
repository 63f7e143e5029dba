"""Contract section (b.5): the parts besides routes, and what the model holds of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_samples import (
    GONE,
    MANIFEST,
    manifest,
    messages,
    read,
    route,
    with_app,
    with_function,
    with_modules,
    with_routes,
)

from sallyport.manifest.load import from_json, read_manifest, to_json
from sallyport.model.manifest import (
    Egress,
    Entity,
    EntityIndex,
    Function,
    Manifest,
    PermissionScope,
    Route,
    Runtime,
    StaticOutput,
)


def valid(data: dict[str, Any], **options: Any) -> Manifest:
    found = read(data, **options)
    assert found.diagnostics == ()
    assert found.manifest is not None
    return found.manifest


def test_what_the_model_holds() -> None:
    found = valid(MANIFEST)
    assert found.app_id == "11111111-2222-4333-8444-555555555555"
    assert found.runtime == Runtime("python3", "x86_64", 512)
    assert found.routes == (
        Route("get-a", "GET", "/a", "run", ("application/json",), ("read:a:custom",)),
    )
    assert found.functions == (Function("run", "index.run", 25, None),)
    assert found.function("run") == found.functions[0]
    assert found.function("other") is None
    assert found.custom_scopes == {"read:a:custom"}


def test_handlers_come_apart() -> None:
    function = valid(with_function(handler="people/search.run")).functions[0]
    assert (function.module, function.name) == ("people/search", "run")


def test_runtime_and_function_settings() -> None:
    found = valid(
        {
            **with_function(timeoutSeconds=60, runtime={"memoryMB": 256}),
            "app": {
                **MANIFEST["app"],
                "runtime": {"name": "nodejs24.x", "architecture": "arm64", "memoryMB": 1024},
            },
        }
    )
    assert found.runtime == Runtime("nodejs24.x", "arm64", 1024)
    assert found.functions == (Function("run", "index.run", 60, 256),)


def test_an_app_without_an_id_is_valid() -> None:
    assert valid(with_app(id=GONE)).app_id is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"runtime": {"memoryMB": 64}}, "function runtime property memoryMB must be >= 128"),
        ({"runtime": {"memoryMB": 8192}}, "function runtime property memoryMB must be <= 4096"),
        ({"timeoutSeconds": 0}, "function property timeoutSeconds must be >= 1"),
        ({"timeoutSeconds": "25"}, "function property timeoutSeconds must be integer"),
        ({"timeoutSeconds": True}, "function property timeoutSeconds must be integer"),
        ({"memory": 5}, "function should NOT have additional property 'memory'"),
        ({"handler": GONE}, "function must have required property 'handler'"),
    ],
)
def test_bad_functions(fields: dict[str, Any], message: str) -> None:
    assert messages(with_function(**fields)) == [message]


def test_memory_of_64_passes_for_the_app() -> None:
    assert valid(with_app(runtime={"name": "nodejs20.x", "memoryMB": 64})).runtime.memory_mb == 64


def test_app_is_required_and_of_the_right_type() -> None:
    assert messages(manifest(app=GONE)) == ["document must have required property 'app'"]
    assert messages(manifest(app=["x"])) == ["app must be object"]
    assert messages(manifest(app=None)) == ["app must be object"]


def test_permission_scopes_in_both_forms() -> None:
    listed = valid(manifest(permissions={"scopes": ["read:jira-work", "read:jira-work"]}))
    assert listed.permissions_scopes == (PermissionScope("read:jira-work"),)
    keyed = valid(manifest(permissions={"scopes": {"a": {"allowImpersonation": True}, "b": {}}}))
    assert keyed.permissions_scopes == (PermissionScope("a", True), PermissionScope("b", False))


def test_egress_in_all_forms() -> None:
    found = valid(
        manifest(
            remotes=[{"key": "back", "baseUrl": "https://back.example.com"}],
            permissions={
                "external": {
                    "fetch": {
                        "backend": [
                            "api.example.com",
                            {"address": "*.example.org", "category": "analytics"},
                            {"remote": "back"},
                        ],
                        "client": ["page.example.com"],
                    },
                    "images": [{"address": "img.example.com", "inScopeEUD": True}],
                },
                "content": {"styles": ["unsafe-inline"]},
                "enforcement": "app-managed",
            },
        )
    )
    assert found.external_fetch_backend == (
        "api.example.com",
        "*.example.org",
        "https://back.example.com",
    )
    assert set(found.egress) == {
        Egress("fetch.backend", "api.example.com"),
        Egress("fetch.backend", "*.example.org", "analytics"),
        Egress("fetch.backend", "https://back.example.com"),
        Egress("fetch.client", "page.example.com"),
        Egress("images", "img.example.com", None, True),
    }
    assert found.content == ("styles:unsafe-inline",)
    assert found.enforcement == "app-managed"


def test_egress_that_names_no_remote() -> None:
    data = manifest(permissions={"external": {"fetch": {"backend": [{"remote": "gone"}]}}})
    assert messages(data) == ["permissions reference undefined remote with key 'gone'"]


def test_a_path_in_an_egress_entry_is_ignored_with_a_warning() -> None:
    listed = ["https://api.example.com/v1", "api.example.org", "https://a.example.net/"]
    found = read(manifest(permissions={"external": {"fetch": {"backend": listed}}}))
    (finding,) = found.diagnostics
    assert finding.level == "warning"
    assert "api.example.com/v1" in finding.message
    assert found.manifest is not None


def test_triggers_and_consumers() -> None:
    found = valid(
        with_modules(
            webtrigger=[
                {
                    "key": "w",
                    "function": "run",
                    "response": {
                        "type": "static",
                        "outputs": [{"key": "ok", "statusCode": 202, "contentType": "text/plain"}],
                    },
                }
            ],
            scheduledTrigger=[{"key": "s", "function": "run", "interval": "hour"}],
            trigger=[{"key": "t", "function": "run", "events": ["avi:jira:created:issue"]}],
            consumer=[{"key": "c", "queue": "q", "resolver": {"function": "run", "method": "m"}}],
        )
    )
    assert found.webtriggers[0].response == "static"
    assert found.webtriggers[0].outputs == (StaticOutput("ok", 202, None, "text/plain"),)
    assert found.scheduled_triggers[0].interval == "hour"
    assert found.triggers[0].events == ("avi:jira:created:issue",)
    assert (found.consumers[0].function, found.consumers[0].method) == ("run", "m")


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            {"webtrigger": [{"key": "w"}]},
            "webtrigger must have required property 'function' or 'endpoint'",
        ),
        (
            {"webtrigger": [{"key": "w", "function": "run", "response": {"type": "static"}}]},
            "webtrigger response must have required property 'outputs'",
        ),
        (
            {
                "webtrigger": [
                    {
                        "key": "w",
                        "function": "run",
                        "response": {
                            "type": "static",
                            "outputs": [{"key": "a", "statusCode": 200}] * 2,
                        },
                    }
                ]
            },
            "webtrigger response output key 'a' is used twice",
        ),
        (
            {"webtrigger": [{"key": "w", "function": "gone"}]},
            "webtrigger references undefined function module with key 'gone'",
        ),
        (
            {"webtrigger": [{"key": "w", "function": "run", "urlFormat": "v3"}]},
            "webtrigger property urlFormat 'v3' allowed values are 'v1', 'v2'",
        ),
        (
            {"scheduledTrigger": [{"key": "s", "function": "run", "interval": "minute"}]},
            "scheduledTrigger property interval 'minute' allowed values are "
            "'fiveMinute', 'hour', 'day', 'week'",
        ),
        (
            {"trigger": [{"key": "t", "function": "run", "events": []}]},
            "trigger property events must NOT have fewer than 1 items",
        ),
        (
            {"consumer": [{"key": "c", "queue": "q"}]},
            "consumer must have required property 'function' or 'resolver' or 'endpoint'",
        ),
        (
            {
                "consumer": [
                    {"key": "c", "queue": "q", "resolver": {"function": "gone", "method": "m"}}
                ]
            },
            "consumer references undefined function module with key 'gone'",
        ),
    ],
)
def test_bad_triggers(modules: dict[str, Any], message: str) -> None:
    assert messages(with_modules(**modules)) == [message]


def entity(**fields: Any) -> dict[str, Any]:
    attributes = {"surname": {"type": "string"}, "age": {"type": "integer"}}
    made = {"name": "employee", "attributes": attributes, "indexes": ["surname"], **fields}
    return with_app(storage={"entities": [made]})


def test_entities_and_their_indexes() -> None:
    by_age = {"name": "by-age", "range": ["age"], "partition": ["surname"]}
    found = valid(entity(indexes=["surname", by_age]))
    assert found.entities == (
        Entity(
            "employee",
            (("surname", "string"), ("age", "integer")),
            (EntityIndex("surname", ("surname",)), EntityIndex("by-age", ("age",), ("surname",))),
        ),
    )
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"indexes": ["city"]},
            "Entity 'employee' index 'city' must refer to a valid attribute of the entity.",
        ),
        (
            {"indexes": [{"name": "x", "range": ["age"], "partition": ["city"]}]},
            "Entity 'employee' index partition 'city' must refer to a valid attribute of the "
            "entity.",
        ),
        (
            {"indexes": [{"name": "by-key", "range": ["age"]}]},
            "Entity 'employee' cannot use reserved index name 'by-key'.",
        ),
        ({"indexes": ["age", "age"]}, "Entity 'employee' declares the index 'age' twice."),
        (
            {"indexes": ["age"] * 8},
            "Entity 'employee' contains more indexes than the allowed limit of 7.",
        ),
        ({"attributes": {}}, "Entity 'employee' must contain at least one attribute."),
        (
            {"attributes": {f"a{n}": {"type": "any"} for n in range(51)}},
            "Entity 'employee' contains more attributes than the allowed limit of 50.",
        ),
        (
            {"attributes": {"a" * 31: {"type": "any"}}},
            f"Entity 'employee' attribute name '{'a' * 31}' exceeds maximum allowed length of 30.",
        ),
    ],
)
def test_bad_entities(fields: dict[str, Any], message: str) -> None:
    assert message in messages(entity(**fields))


def test_two_entities_of_one_name() -> None:
    one = {"name": "employee", "attributes": {"age": {"type": "integer"}}}
    found = messages(with_app(storage={"entities": [one, one]}))
    assert found == ["Entity 'employee' is declared twice."]


def test_manifest_variables_are_filled_in_before_validation() -> None:
    text = b"""\
app:
  id: ${APP}
  runtime:
    name: python3
environment:
  variables:
    - APP
    - key: TIME
      default: "60"
    - key: PREFIX
      default: v1
modules:
  apiRoute:
    - {key: a, path: "/${PREFIX}/x", operation: GET, function: run, scopes: ["read:a:custom"]}
  function:
    - key: run
      handler: index.run
      timeoutSeconds: ${TIME}
"""
    app = "ari:cloud:ecosystem::app/11111111-2222-4333-8444-555555555555"
    found = read_manifest(text, variables={"APP": app, "PREFIX": "v2", "OTHER": "x"})
    assert found.diagnostics == ()
    assert found.manifest is not None
    assert found.manifest.app_id == "11111111-2222-4333-8444-555555555555"
    assert found.manifest.functions[0].timeout_seconds == 60
    assert found.manifest.routes[0].path == "/v2/x"
    (missing,) = read_manifest(text, variables={"OTHER": "x"}).diagnostics
    assert missing.message == "manifest.yml failed to parse content - variable 'APP' is not set"
    assert (missing.line, missing.column) == (2, 7)


def test_a_variable_that_is_not_declared_is_plain_text() -> None:
    data = with_modules(webtrigger=[{"key": "w", "function": "run", "request": {"x": "${A}"}}])
    assert read(data, variables={"A": "B"}).diagnostics == ()


def test_variables_cannot_blow_a_manifest_up() -> None:
    data = manifest(environment={"variables": ["A"]}, translations={"x": "${A}" * 500})
    (finding,) = read(data, variables={"A": "y" * 5000}).diagnostics
    assert "longer than 10000 characters" in finding.message


KEYS = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(KEYS, st.sampled_from(["GET", "POST"]), KEYS),
        min_size=1,
        unique_by=lambda x: x[0],
    )
)
def test_a_manifest_comes_back_from_its_json(triples: list[tuple[str, str, str]]) -> None:
    kept = {(op, path): (f"r-{key}", op, f"/{path}/{{id}}") for key, op, path in triples}
    found = read(with_routes(*(route(*fields) for fields in kept.values()))).manifest
    assert found is not None
    assert from_json(to_json(found)) == found
    assert to_json(from_json(to_json(found))) == to_json(found)


def test_an_older_version_still_reads() -> None:
    """Versions keep their JSON for good, so fields may only be added with a default."""
    text = '{"app_id":null,"name":null,"runtime":{"name":"python3"}}'
    assert from_json(text) == Manifest(None, None, Runtime("python3"))
