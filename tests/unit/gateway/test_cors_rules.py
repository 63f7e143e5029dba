"""CORS as the Fetch standard has it, and what an Accept header leaves room for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.call import Call
from sallyport.gateway.cors import Preflight, answer_preflight, cors_headers, is_allowed
from sallyport.gateway.refuse import is_acceptable
from sallyport.manifest.table import compile_routes
from sallyport.model.manifest import Cors, Route
from sallyport.vocab.errors import Reason, Refused

PAGE = "https://app.example.com"
OPEN = Cors((PAGE,), ("X-Client",), ("X-Total",))
TABLE = compile_routes(
    [
        Route("open", "POST", "/open", "f", (), (), cors=OPEN),
        Route("any", "GET", "/any", "f", (), (), cors=Cors(("*",))),
        Route("shut", "POST", "/shut", "f", (), ()),
        Route("half", "GET", "/open", "f", (), ()),
    ]
)


def call(method: str, path: str, **headers: str) -> Call:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    made = Call(method, path, "", "", sent, 0, 0, "t", "d", "i")
    made.found = TABLE.find(method, (path.strip("/"),))
    return made


def preflight(path: str, method: str, origin: str = PAGE, asked: str = "") -> dict[str, str]:
    """What a preflight is answered with."""
    headers = {"origin": origin, "access_control_request_method": method}
    if asked:
        headers["access_control_request_headers"] = asked
    with pytest.raises(Preflight) as answered:
        answer_preflight(call("OPTIONS", path, **headers), TABLE, (path.strip("/"),))
    return dict(answered.value.headers)


def refused(path: str, method: str, origin: str = PAGE, asked: str = "") -> str:
    headers = {
        "origin": origin,
        "access_control_request_method": method,
        "access_control_request_headers": asked,
    }
    with pytest.raises(Refused) as refusal:
        answer_preflight(call("OPTIONS", path, **headers), TABLE, (path.strip("/"),))
    assert refusal.value.reason is Reason.CORS_REFUSED
    return refusal.value.detail


def test_a_preflight_of_a_declared_origin_is_answered() -> None:
    shown = preflight(
        "/open", "POST", asked="Authorization, content-type,X-Client, IDEMPOTENCY-key"
    )
    assert shown["access-control-allow-origin"] == PAGE
    assert shown["access-control-allow-methods"] == "POST"
    assert {"authorization", "x-client"} <= set(shown["access-control-allow-headers"].split(", "))
    assert "origin" in shown["vary"].split(", ")
    assert "access-control-allow-credentials" not in shown
    assert preflight("/any", "GET", "https://whoever.test")["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.test",
        "https://APP.example.com",
        "https://app.example.com/",
        "null",
        "*",
        "",
    ],
)
def test_no_other_origin_comes_in(origin: str) -> None:
    assert "takes no calls from pages" in refused("/open", "POST", origin)
    answered = call("POST", "/open", origin=origin)
    assert cors_headers(answered) == (("vary", "origin"),)


def test_null_is_no_origin_even_where_all_are_welcome() -> None:
    refused("/any", "GET", "null")
    assert cors_headers(call("GET", "/any", origin="null")) == (("vary", "origin"),)


def test_headers_that_are_not_declared_are_refused() -> None:
    assert "'x-other'" in refused("/open", "POST", asked="authorization, X-Other")
    assert "'x-client'" in refused("/any", "GET", asked="x-client")


@pytest.mark.parametrize(
    "other",
    [
        call("OPTIONS", "/shut", origin=PAGE, access_control_request_method="POST"),
        call("OPTIONS", "/open", origin=PAGE, access_control_request_method="GET"),
        call("OPTIONS", "/open", origin=PAGE, access_control_request_method="TRACE"),
        call("OPTIONS", "/open", origin=PAGE),
        call("OPTIONS", "/open", access_control_request_method="POST"),
        call("OPTIONS", "/nothing", origin=PAGE, access_control_request_method="POST"),
        call("POST", "/open", origin=PAGE, access_control_request_method="POST"),
    ],
)
def test_what_is_no_preflight_goes_on(other: Call) -> None:
    answer_preflight(other, TABLE, (other.raw_path.strip("/"),))


def test_answers_tell_the_page_and_nobody_else() -> None:
    shown = dict(cors_headers(call("POST", "/open", origin=PAGE)))
    assert shown["access-control-allow-origin"] == PAGE
    assert {"X-Total", "ratelimit", "atl-traceid"} <= set(
        shown["access-control-expose-headers"].split(", ")
    )
    assert cors_headers(call("POST", "/shut", origin=PAGE)) == ()
    assert cors_headers(call("POST", "/open")) == (("vary", "origin"),)


@given(st.text(max_size=40))
def test_only_what_is_written_is_allowed(origin: str) -> None:
    assert is_allowed(OPEN, origin) == (origin == PAGE)


JSON = ("application/json",)


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        ([], True),
        (["application/json"], True),
        (["APPLICATION/JSON; charset=utf-8"], True),
        (["*/*"], True),
        (["text/html, application/*;q=0.1"], True),
        (["text/html", "*/*;q=0.8"], True),
        (["text/html"], False),
        (["application/json;q=0"], False),
        (["application/json; Q=0.000, */*"], False),
        (["application/*;q=0, */*"], False),
        (["*/*;q=0"], False),
        (["application/json;q=0.001"], True),
        ([""], False),
        ([",;q=0,"], False),
        (["application/problem+json"], False),
    ],
)
def test_accept(sent: list[str], fits: bool) -> None:
    assert is_acceptable(sent, JSON) is fits


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_accept_header_breaks_anything(sent: list[Any]) -> None:
    assert is_acceptable(sent, JSON) in (True, False)
