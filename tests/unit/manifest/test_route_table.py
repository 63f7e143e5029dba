"""The compiled table finds what a naive reading of the rules finds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sallyport.manifest.paths import match, parse_path, shape, specificity
from sallyport.manifest.table import compile_routes
from sallyport.model.manifest import OPERATIONS, Route


def a_route(operation: str, path: str, key: str | None = None) -> Route:
    return Route(key or f"{operation} {path}", operation, path, "run", (), ("read:a:custom",))


def found_path(routes: list[Route], operation: str, *segments: str) -> str | None:
    found = compile_routes(routes).find(operation, segments)
    return found.route.path if found is not None else None


LITERALS = ["a", "b", "c"]
SEGMENTS = st.one_of(
    st.sampled_from(LITERALS), st.sampled_from(["{x}", "{y}", "{z}"]), st.just("*")
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    inner = draw(st.lists(SEGMENTS, max_size=4))
    if len({part for part in inner if part[0] == "{"}) < sum(p[0] == "{" for p in inner):
        inner = ["*" if part[0] == "{" else part for part in inner]
    tail = ["**"] if draw(st.booleans()) else []
    return "/" + "/".join([draw(st.sampled_from(LITERALS)), *inner, *tail])


@st.composite
def route_lists(draw: st.DrawFn) -> list[Route]:
    kept = {}
    for operation, path in draw(
        st.lists(st.tuples(st.sampled_from(OPERATIONS[:3]), paths()), max_size=12)
    ):
        kept.setdefault((operation, shape(parse_path(path))), a_route(operation, path))
    return list(kept.values())


CALLS = st.lists(st.sampled_from([*LITERALS, "other"]), min_size=1, max_size=6).map(tuple)


@settings(max_examples=400, deadline=None)
@given(route_lists(), CALLS, st.sampled_from(OPERATIONS[:3]))
def test_the_table_agrees_with_the_rules(
    routes: list[Route], call: tuple[str, ...], operation: str
) -> None:
    matching = [route for route in routes if match(parse_path(route.path), call) is not None]
    carrying = [route for route in matching if route.operation == operation]
    best = min(carrying, key=lambda r: specificity(parse_path(r.path)), default=None)
    table = compile_routes(routes)
    found = table.find(operation, call)
    assert (found.route if found is not None else None) == best
    if found is not None:
        assert found.params == match(parse_path(found.route.path), call)
        assert found.prefix == parse_path(found.route.path).prefix
    assert set(table.allowed(call)) == {route.operation for route in matching}


def test_literal_over_name_over_star_over_double_star() -> None:
    routes = [a_route("GET", path) for path in ("/a/**", "/a/*/c", "/a/{x}/*", "/a/b/*")]
    assert found_path(routes, "GET", "a", "b", "c") == "/a/b/*"
    assert found_path(routes, "GET", "a", "x", "c") == "/a/{x}/*"
    assert found_path(routes[:2], "GET", "a", "x", "c") == "/a/*/c"
    assert found_path(routes, "GET", "a", "x") == "/a/**"


def test_a_dead_end_is_left_again() -> None:
    routes = [a_route("GET", path) for path in ("/a/b/c", "/a/{x}/d", "/a/**")]
    assert found_path(routes, "GET", "a", "b", "d") == "/a/{x}/d"
    assert found_path(routes, "GET", "a", "b", "e") == "/a/**"


def test_the_best_path_is_sought_among_routes_with_the_operation() -> None:
    routes = [a_route("POST", "/a/b"), a_route("GET", "/a/*")]
    assert found_path(routes, "GET", "a", "b") == "/a/*"
    assert found_path(routes, "POST", "a", "b") == "/a/b"


def test_other_operations_of_matching_paths_are_named() -> None:
    table = compile_routes(
        [a_route("DELETE", "/a/b"), a_route("GET", "/a/*"), a_route("PUT", "/b/*")]
    )
    assert table.find("PATCH", ("a", "b")) is None
    assert table.allowed(("a", "b")) == ("GET", "DELETE")
    assert table.allowed(("a", "x")) == ("GET",)
    assert table.allowed(("c",)) == ()


def test_the_root_and_long_calls_match_nothing_by_accident() -> None:
    table = compile_routes([a_route("GET", "/a"), a_route("GET", "/b/**")])
    assert table.find("GET", ()) is None
    assert table.find("GET", ("a",) * 4000) is None
    assert table.find("GET", ("b",) * 4000) is not None


@pytest.mark.parametrize("other", ["/a/{y}", "/a/*"])
def test_two_routes_for_the_same_calls_do_not_compile(other: str) -> None:
    with pytest.raises(ValueError, match="first and second match the same calls"):
        compile_routes([a_route("GET", "/a/{x}", "first"), a_route("GET", other, "second")])
    compile_routes([a_route("GET", "/a/{x}", "first"), a_route("POST", other, "second")])


def test_a_route_that_is_not_valid_does_not_compile() -> None:
    with pytest.raises(ValueError):
        compile_routes([a_route("GET", "/a/../b")])


def test_the_cost_of_a_call_does_not_grow_with_the_routes() -> None:
    """Visited nodes decide the cost; time stands in for them, with a wide margin."""

    def cost(count: int) -> float:
        table = compile_routes(
            [a_route("GET", f"/v1/r{number}/{{id}}/x") for number in range(count)]
        )
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(300):
                table.find("GET", ("v1", "r0", "7", "x"))
            best = min(best, time.perf_counter() - begun)
        return best

    assert cost(1000) < 10 * cost(1)
