"""Contract sections (b.2) and (b.3), and what Sallyport adds to them."""

from __future__ import annotations

import pytest

from sallyport.manifest.paths import (
    DOUBLE_STAR,
    STAR,
    Literal,
    Param,
    match,
    parse_path,
    same_calls,
    specificity,
)


@pytest.mark.parametrize(
    "path",
    ["/a", "/v1/items", "/a/*", "/a/*/b", "/a/**", "/a/*/**", "/" + "a" * 254],
)
def test_paths_of_the_contract(path: str) -> None:
    assert parse_path(path).text == path


@pytest.mark.parametrize(
    "path",
    [
        "/a-b",
        "/a_b",
        "/a.b",
        "/a~b",
        "/a/{id}",
        "/a/{id}/b/{other_id}/*/**",
        "/.well-known",
        "/...",
        "/a/_",
        "/v1.2/x",
    ],
)
def test_paths_that_sallyport_adds(path: str) -> None:
    assert parse_path(path).text == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "/",
        "/a/",
        "//a",
        "/a//b",
        "/*",
        "/**",
        "/{id}",
        "/a/**/b",
        "/a/b*",
        "/a/***",
        "/a/:id",
        "/a%20b",
        "/a b",
        "/a/{id",
        "/a/{}",
        "/a/{1}",
        "/a/{i-d}",
        "/a/x{id}",
        "/a/{id}x",
        "/a/{{id}}",
        "/.",
        "/..",
        "/a/.",
        "/a/../b",
        "/a/./b",
        "/a?b",
        "/a#b",
        "/a;b",
        "/a\n",
        "/a\\b",
        "/é",
        "/" + "a" * 255,
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ValueError):
        parse_path(path)


def test_a_parameter_has_one_meaning_within_a_path() -> None:
    with pytest.raises(ValueError, match=r"'\{id\}' more than once"):
        parse_path("/a/{id}/b/{id}")


def test_segments() -> None:
    assert parse_path("/a/{id}/*/**").segments == (
        Literal("a"),
        Param("id"),
        STAR,
        DOUBLE_STAR,
    )
    assert parse_path("/a/b/{id}/c").prefix == 2
    assert parse_path("/a/b").prefix == 2


@pytest.mark.parametrize(
    ("path", "segments", "matches"),
    [
        ("/getEmployeeName", ["getEmployeeName"], True),
        ("/getEmployeeName", ["getemployeename"], False),
        ("/getEmployeeName", ["getEmployeeName", "1234"], False),
        ("/getEmployeeName/*", ["getEmployeeName", "1234"], True),
        ("/getEmployeeName/*", ["getEmployeeName", "new"], True),
        ("/getEmployeeName/*", ["getEmployeeName"], False),
        ("/getEmployeeName/*", ["getEmployeeName", "new", "1234"], False),
        ("/getEmployeeName/**", ["getEmployeeName", "new", "1234"], True),
        ("/getEmployeeName/**", ["getEmployeeName", "new"], True),
        ("/getEmployeeName/**", ["getEmployeeName"], False),
        ("/a/*/**", ["a", "b"], False),
        ("/a/*/**", ["a", "b", "c"], True),
        ("/a/*/b", ["a", "x-y é", "b"], True),
        ("/a/*/b", ["a", "x", "c"], False),
    ],
)
def test_matching(path: str, segments: list[str], matches: bool) -> None:
    """The examples of contract section (b.3), and its recommended reading where it is silent."""
    assert (match(parse_path(path), segments) is not None) == matches


def test_parameters_are_handed_over() -> None:
    pattern = parse_path("/a/{id}/*/{other}/**")
    assert match(pattern, ["a", "1", "2", "3", "4", "5"]) == {"id": "1", "other": "3"}


def test_precedence_is_segment_by_segment() -> None:
    paths = ["/a/b/**", "/a/**", "/a/*/c", "/a/{x}/c", "/a/b/c", "/a/{x}/*", "/a/b/*"]
    ordered = sorted(map(parse_path, paths), key=specificity)
    assert [pattern.text for pattern in ordered] == [
        "/a/b/c",
        "/a/b/*",
        "/a/b/**",
        "/a/{x}/c",
        "/a/{x}/*",
        "/a/*/c",
        "/a/**",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/a/{x}", "/a/{y}", True),
        ("/a/{x}", "/a/*", True),
        ("/a/*/**", "/a/{x}/**", True),
        ("/a/*", "/a/**", False),
        ("/a/b", "/a/B", False),
        ("/a/*", "/a/b", False),
    ],
)
def test_paths_that_match_the_same_calls(one: str, other: str, same: bool) -> None:
    assert same_calls(parse_path(one), parse_path(other)) == same
