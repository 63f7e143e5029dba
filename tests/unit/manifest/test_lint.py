"""Best practices are warnings that say why; --forge says what would not deploy there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_samples import (
    GONE,
    MANIFEST,
    read,
    route,
    with_app,
    with_modules,
    with_route,
    with_routes,
)

from sallyport.manifest.custom_scopes import read_custom_scopes
from sallyport.manifest.forge import FORGE_PATH_PATTERN
from sallyport.manifest.lint import lint
from sallyport.manifest.paths import match, parse_path, shape, specificity
from sallyport.model.manifest import Diagnostic


def warnings(data: dict[str, Any], **options: Any) -> tuple[Diagnostic, ...]:
    found = read(data)
    assert found.manifest is not None, found.diagnostics
    return lint(found, **options)


def said(data: dict[str, Any], **options: Any) -> list[str]:
    return [f"{d.level}: {d.message}" for d in warnings(data, **options)]


def only(data: dict[str, Any], words: str, **options: Any) -> Diagnostic:
    """The one finding, which has these words."""
    (finding,) = warnings(data, **options)
    assert words in finding.message
    assert finding.level == "warning"
    assert finding.line > 1
    return finding


def test_nothing_to_say() -> None:
    assert warnings(MANIFEST) == ()


def test_nothing_about_a_manifest_with_errors() -> None:
    assert lint(read({"app": {}}), forge=True) == ()


@pytest.mark.parametrize("scope", ["employee:custom", "read:hr:employee:custom", "read-a:custom"])
def test_scopes_are_verb_noun_custom(scope: str) -> None:
    only(with_routes(route("a", "GET", "/a", scope)), f"scope '{scope}' is not verb:noun:custom")


@pytest.mark.parametrize("scope", ["admin:a:custom", "manage:a:custom", "read:all:custom"])
def test_scopes_are_not_broader_than_needed(scope: str) -> None:
    only(with_routes(route("a", "GET", "/a", scope)), f"scope '{scope}' is broader than needed")


def test_one_scope_for_reading_and_writing() -> None:
    finding = only(
        with_routes(
            route("get", "GET", "/a", "use:a:custom"), route("put", "PUT", "/a", "use:a:custom")
        ),
        "scope 'use:a:custom' opens both GET /a and PUT /a",
    )
    assert finding.fix is not None


def test_a_writing_route_that_needs_more_than_reading_is_fine() -> None:
    """The documentation's own example asks for both scopes on the route that writes."""
    assert (
        said(
            with_routes(
                route("get", "GET", "/a", "read:a:custom"),
                route("put", "PUT", "/a", "read:a:custom", "write:a:custom"),
            )
        )
        == []
    )


def test_reading_that_needs_only_a_writing_scope() -> None:
    only(with_routes(route("a", "GET", "/a", "write:a:custom")), "needs only a scope that writes")


def test_writing_that_needs_only_a_reading_scope() -> None:
    only(with_routes(route("a", "PUT", "/a", "read:a:custom")), "needs only a scope that reads")


def test_more_than_20_scopes() -> None:
    routes = [route(f"r{n}", "GET", f"/r{n}", f"read:a{n}:custom") for n in range(21)]
    assert said(with_routes(*routes[:20])) == []
    only(with_routes(*routes), "the routes name 21 scopes")


def test_an_unused_function() -> None:
    functions = [
        {"key": "run", "handler": "index.run"},
        {"key": "idle", "handler": "index.idle"},
        {"key": "panel", "handler": "index.panel"},
    ]
    data = with_modules(function=functions, webtrigger=[{"key": "w", "function": "panel"}])
    only(data, "function 'idle' is used by no module")


def test_memory_that_is_not_documented() -> None:
    only(with_app(runtime={"name": "python3", "memoryMB": 64}), "memoryMB is 64")


def test_a_route_that_no_call_reaches() -> None:
    routes = [
        route("deep", "GET", "/a/**"),
        route("one", "GET", "/a/{x}"),
        route("more", "GET", "/a/*/**"),
    ]
    only(with_routes(*routes), "no call reaches apiRoute 'deep'")
    assert said(with_routes(*routes[:2])) == []
    assert said(with_routes(routes[0], routes[1], {**routes[2], "operation": "DELETE"})) == [
        "warning: DELETE /a/*/** needs only a scope that reads: "
        "consent to read would allow a change",
        "warning: scope 'read:a:custom' opens both GET /a/** and DELETE /a/*/**: "
        "whoever may read may also write",
    ]


PATHS = st.lists(st.sampled_from(["x", "*", "{p}"]), max_size=2).flatmap(
    lambda inner: st.sampled_from(["", "/**"]).map(
        lambda tail: "/a" + "".join(f"/{s}" for s in dict.fromkeys(inner)) + tail
    )
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=6))
def test_unreachable_means_that_no_call_is_left(paths: list[str]) -> None:
    """Against every call of up to six segments, with one that equals no literal."""
    kept = list({shape(parse_path(path)): path for path in paths}.values())
    reached = set()
    calls: list[tuple[str, ...]] = [("a",)]
    for call in calls:
        matching = [path for path in kept if match(parse_path(path), call) is not None]
        if matching:
            reached.add(min(matching, key=lambda path: specificity(parse_path(path))))
        if len(call) < 6:
            calls += [(*call, "x"), (*call, "free")]
    data = with_routes(*(route(f"r{n}", "GET", path) for n, path in enumerate(kept)))
    dead = {
        kept[int(n)] for line in said(data) for n in re.findall(r"reaches apiRoute 'r(\d)", line)
    }
    assert dead == set(kept) - reached


SCOPES = read_custom_scopes(
    b"version: 1\nscopes:\n  read:a:custom: {description: x}\n  read:b:custom: {description: x}\n",
    "scopes.yaml",
)


def test_declared_but_unused() -> None:
    (finding,) = warnings(MANIFEST, scopes=SCOPES)
    assert finding.message.startswith("scope 'read:b:custom' is used by no route")
    assert (finding.file, finding.line, finding.column) == ("scopes.yaml", 4, 3)


def test_used_but_undeclared() -> None:
    data = with_routes(
        route("a", "GET", "/a"), route("b", "GET", "/b", "read:b:custom", "read:c:custom")
    )
    (finding,) = warnings(data, scopes=SCOPES)
    assert finding.message.startswith("scope 'read:c:custom' is not declared in scopes.yaml")
    assert finding.level == "warning"
    assert finding.file == "manifest.yml"


def test_scopes_with_errors_are_left_out() -> None:
    assert warnings(MANIFEST, scopes=read_custom_scopes(b"version: 1")) == ()


NODE = {"id": MANIFEST["app"]["id"], "runtime": {"name": "nodejs22.x"}}


def for_forge(path: str) -> list[Diagnostic]:
    data = {**with_routes(route("a", "GET", path)), "app": NODE}
    return list(warnings(data, forge=True))


@pytest.mark.parametrize("path", ["/a", "/v1/items", "/a/*/b", "/a/*/**"])
def test_what_forge_takes(path: str) -> None:
    assert for_forge(path) == []


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("/a/{id}", "Write /a/* instead."),
        ("/get-name/{id}/**", "Write /getName/*/** instead."),
        ("/a_b", "Write /aB instead."),
        ("/v1.2", "Write /v12 instead."),
        ("/-", None),
    ],
)
def test_paths_that_forge_refuses(path: str, fix: str | None) -> None:
    (finding,) = for_forge(path)
    assert finding.level == "error"
    assert finding.reference == "forge-compatible"
    assert finding.message == (
        f"apiRoute property path '{path}' must match pattern \"{FORGE_PATH_PATTERN}\""
    )
    assert finding.fix == fix


def test_a_route_that_every_page_may_call_is_warned_of() -> None:
    (finding,) = warnings(with_route(cors={"origins": ["*"]}))
    assert finding.level == "warning"
    assert "pages of every origin" in finding.message
    assert warnings(with_route(cors={"origins": ["https://app.test"]})) == ()


def test_fields_that_forge_refuses() -> None:
    data = with_app(runtime={"name": "nodejs22.x"})
    data["modules"]["apiRoute"][0]["rateLimit"] = {"perMinute": 60}
    (finding,) = warnings(data, forge=True)
    assert finding.reference == "forge-compatible"
    assert finding.message == "apiRoute should NOT have additional property 'rateLimit'"
    assert warnings(data) == ()


def test_python_and_unregistered_apps_do_not_deploy_on_forge() -> None:
    found = warnings(with_app(id=GONE), forge=True)
    assert [d.reference for d in found] == ["forge-compatible"] * 2
    assert "'python3' allowed values are 'nodejs20.x'" in "".join(d.message for d in found)
    assert {d.level for d in found} == {"error"}
    assert warnings(with_app(id=GONE)) == ()
