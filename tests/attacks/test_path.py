"""T-PATH: the gateway and the function see the same path, or the call is refused.

Planted bugs that these tests were seen to fail on: canonical_segments that decodes `%2F` before
splitting; that drops empty segments; a route table that matches `/guarded/Secret`; a `route` step
that treats HEAD as GET.
"""

from __future__ import annotations

import http.client

import pytest

from app_world import DeployedApp

TRAVERSALS = [
    "/open/../guarded/secret",
    "/open/./x",
    "/open//x",
    "/open/%2e%2e/guarded/secret",
    "/open/%2E%2E/guarded/secret",
    "/open/%2e%2e%2fguarded%2fsecret",
    "/open%2Fx",
    "/open/..%2Fguarded",
    "/open/x%5Cy",
    "/open/x\\y",
    "/open/x;a=1",
    "/open/x%3Ba=1",
    "/open/%252e%252e/guarded/secret",
    "/open/x%00",
    "/open/%C0%AE%C0%AE/guarded",
    "/open/a%20b/../x",
    "/open/x/",
    "/open/%78",
    "/guarded%2fsecret",
    "/guarded//secret",
    "/guarded/secret/",
    "/guarded/%73ecret",
    "/open/" + "a" * 5000,
]


def raw(app: DeployedApp, method: str, target: str, **headers: str) -> tuple[int, bytes]:
    """One request whose target is sent as it is."""
    host = app.demo.facts["public_url"].removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    headers = {"Host": host, "Authorization": f"Bearer {app.tokens['access_token']}"} | headers
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("tail", TRAVERSALS)
def test_a_path_that_is_not_canonical_is_refused(echo: DeployedApp, tail: str) -> None:
    status, body = raw(echo, "GET", echo.base_path + tail)
    assert status == 400, body
    assert b"path_not_canonical" in body


@pytest.mark.parametrize(
    "tail", ["/open/a", "/open/a%20b/c", "/open/x%C3%A9", "/open/a-b_c.~!$&'()*+,=:@"]
)
def test_the_function_gets_the_path_that_was_decided_on(echo: DeployedApp, tail: str) -> None:
    answer = echo.call("GET", tail)
    assert answer.status_code == 200, answer.text
    assert answer.json()["path"] == tail
    assert answer.json()["route"] == "echo"


def test_a_named_segment_arrives_decoded(echo: DeployedApp) -> None:
    seen = echo.call("GET", "/named/a%20b?x=1&x=2&y").json()
    assert seen["params"] == {"id": "a b"}
    assert seen["query"] == {"x": ["1", "2"], "y": [""]}
    assert seen["userPath"] == "/a%20b"


@pytest.mark.parametrize(
    "path",
    ["/guarded/Secret", "/GUARDED/secret", "/guarded", "/guarded/secret/x", "/openx", "/open"],
)
def test_what_no_route_declares_is_not_found(echo: DeployedApp, path: str) -> None:
    answer = echo.call("GET", path)
    assert answer.status_code == 404
    assert answer.json()["reason"] == "route_unknown"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get"])
def test_other_methods_than_declared_are_refused(echo: DeployedApp, method: str) -> None:
    status, _ = raw(echo, method, echo.base_path + "/guarded/secret")
    assert status in (405, 400)
    allowed = echo.call("PUT", "/open/x")
    assert allowed.status_code == 405
    assert allowed.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-HTTP-Method-Override", "POST"),
        ("X-Original-URL", "/open/y"),
        ("X-Rewrite-URL", "/open/y"),
    ],
)
def test_no_header_changes_method_or_path(echo: DeployedApp, header: str, value: str) -> None:
    seen = echo.call("GET", "/open/x", headers={header: value}).json()
    assert (seen["method"], seen["path"]) == ("GET", "/open/x")
    assert header.lower() not in seen["headers"]


def test_an_absolute_form_target_is_the_same_call_or_refused(echo: DeployedApp) -> None:
    status, _ = raw(echo, "GET", "http://elsewhere.example" + echo.base_path + "/guarded/../open/x")
    assert status in (400, 404)
