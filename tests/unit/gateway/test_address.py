"""Paths of calls, contract section (d) and T-PATH."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.address import is_call, read_address, read_query, user_path
from sallyport.gateway.endpoint import host_name
from sallyport.vocab.errors import Reason, Refused

CLOUD = "11111111-1111-4111-8111-111111111111"
APP = "22222222-2222-4222-8222-222222222222"
ENV = "33333333-3333-4333-8333-333333333333"
CLOUD_FORM = f"/svc/jira/{CLOUD}/apps/{APP}_{ENV}"
SITE_FORM = f"/gateway/api/svc/jira/apps/{APP}_{ENV}"


def test_the_cloud_id_form() -> None:
    address = read_address(f"{CLOUD_FORM}/employees/a%20b")
    assert not address.by_host
    assert (address.product, address.cloud_id) == ("jira", CLOUD)
    assert (address.app_id, address.environment_id) == (APP, ENV)
    assert address.segments == ("employees", "a b")
    assert address.app_path == "/employees/a%20b"


def test_the_site_form() -> None:
    address = read_address(f"{SITE_FORM}/x")
    assert address.by_host
    assert address.cloud_id is None
    assert address.segments == ("x",)


def test_an_app_id_alone_means_production() -> None:
    assert read_address(f"/svc/jira/{CLOUD}/apps/{APP}/x").environment_id is None


@pytest.mark.parametrize(
    "path",
    [
        "/svc/jira",
        f"/svc/jira/{CLOUD}/apps/{APP}_{ENV}",
        f"/svc/jira/not-a-uuid/apps/{APP}_{ENV}/x",
        f"/svc/jira/{CLOUD}/app/{APP}_{ENV}/x",
        f"/svc/jira/{CLOUD}/apps/{APP}_/x",
        f"/svc/jira/{CLOUD}/apps/{APP}_{ENV}_{ENV}/x",
        f"/svc/jira/{CLOUD}/apps/{APP.upper()}x/x",
        f"/svc/Jira/{CLOUD}/apps/{APP}_{ENV}/x",
        f"/svc/ji%20ra/{CLOUD}/apps/{APP}_{ENV}/x",
        f"/gateway/api/svc/jira/{CLOUD}/apps/{APP}_{ENV}/x",
    ],
)
def test_what_names_no_route_is_not_found(path: str) -> None:
    with pytest.raises(Refused) as refused:
        read_address(path)
    assert refused.value.reason is Reason.SITE_UNKNOWN


@pytest.mark.parametrize(
    "tail",
    [
        "/a/../b",
        "/a/./b",
        "//a",
        "/a//b",
        "/a/",
        "/a/%2e%2e/b",
        "/a/%2E%2E/b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/a;x=1",
        "/a%3bx",
        "/a%3Bx",
        "/a%252e",
        "/a%00",
        "/a%0d%0ab",
        "/a%C0%AE",
        "/a%ff",
        "/%61",
        "/a%2",
        "/a%zz",
        "/a b",
        "/a#b",
        "/" + "a" * 10_000,
    ],
)
def test_a_path_that_is_not_canonical_is_refused(tail: str) -> None:
    with pytest.raises(Refused) as refused:
        read_address(CLOUD_FORM + tail)
    assert refused.value.reason is Reason.PATH_NOT_CANONICAL


@given(st.text(max_size=60))
def test_any_tail_is_read_exactly_or_refused(tail: str) -> None:
    """What is forwarded is what was matched: both come from one parse."""
    from urllib.parse import unquote

    try:
        address = read_address(f"{CLOUD_FORM}/{tail}")
    except Refused:
        return
    assert address.app_path == f"/{tail}"
    assert "/" + "/".join(address.segments) == unquote(address.app_path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/svc/x", True),
        ("/gateway/api/svc/x", True),
        ("/svc", False),
        ("/SVC/x", False),
        ("/console/svc/x", False),
    ],
)
def test_which_paths_are_calls(path: str, expected: bool) -> None:
    assert is_call(path) is expected


def test_queries_keep_order_and_blanks() -> None:
    assert read_query("a=1&b=&a=%C3%A9&c") == {"a": ["1", "é"], "b": [""], "c": [""]}
    assert read_query("") == {}


@pytest.mark.parametrize("query", ["a=%ff", "&".join("a=1" for _ in range(501))])
def test_queries_that_cannot_be_read_are_refused(query: str) -> None:
    with pytest.raises(Refused) as refused:
        read_query(query)
    assert refused.value.reason is Reason.REQUEST_MALFORMED


def test_the_user_path_is_what_follows_the_literals() -> None:
    assert user_path("/employees/a%20b/c", 1) == "/a%20b/c"
    assert user_path("/employees", 1) == ""


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Acme.Example:8440", "acme.example"),
        ("acme.example", "acme.example"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("acme.example:x", "acme.example:x"),
        ("", ""),
    ],
)
def test_hosts_lose_their_port_and_nothing_else(header: str, host: str) -> None:
    assert host_name(header) == host
