"""The rules that every page stands on: policy, same origin, form tokens, forms, local paths."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from sallyport.vocab.errors import Reason, Refused
from sallyport.web import csrf
from sallyport.web.drawing import ENVIRONMENT, breakable, isolated, name, when
from sallyport.web.forms import LARGEST, MOST_FIELDS, lines, many, one, read_form
from sallyport.web.headers import content_policy
from sallyport.web.visit import local_path

FORM = "application/x-www-form-urlencoded"


def request_with(headers: Mapping[str, str], body: bytes = b"") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "http://door.test:8080"},
        {"origin": "http://door.test:8080"},
        {"origin": "http://DOOR.test:8080"},
    ],
)
def test_our_own_page_may_send_a_form(headers: dict[str, str]) -> None:
    csrf.require_same_origin(request_with({"host": "door.test:8080", **headers}), "http")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://door.test:8080"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.test"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://door.test:8080"},
        {"origin": "http://door.test"},
        {"origin": "http://door.test:80801"},
        {"origin": "http://door.test:8080.evil.test"},
        {"origin": "http://a@door.test:8080"},
        {"origin": "http://[door.test:8080"},
    ],
)
def test_nobody_else_may(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        csrf.require_same_origin(request_with({"host": "door.test:8080", **headers}), "http")
    assert refused.value.reason is Reason.CROSS_SITE


def test_a_request_without_a_host_has_no_origin_of_its_own() -> None:
    with pytest.raises(Refused):
        csrf.require_same_origin(request_with({"origin": "http://"}), "http")


@given(st.text(), st.text(), st.text(), st.text())
def test_a_form_token_fits_its_session_and_purpose_alone(
    secret: str, purpose: str, other_secret: str, other_purpose: str
) -> None:
    token = csrf.form_token(secret, purpose)
    csrf.require_form_token(secret, purpose, token)
    if (other_secret, other_purpose) != (secret, purpose):
        with pytest.raises(Refused):
            csrf.require_form_token(other_secret, other_purpose, token)


@pytest.mark.parametrize("given_token", [None, "", "x", "é", "0" * 64])
def test_a_missing_or_made_up_form_token_is_refused(given_token: str | None) -> None:
    for secret in (None, "secret"):
        with pytest.raises(Refused):
            csrf.require_form_token(secret, "/x", given_token)


@pytest.mark.parametrize(
    ("given_path", "expected"),
    [
        ("/console", "/console"),
        ("/authorize?client_id=a&redirect_uri=http%3A%2F%2Fx", None),
        (None, "/otherwise"),
        ("", "/otherwise"),
        ("console", "/otherwise"),
        ("//evil.test", "/otherwise"),
        ("/\\evil.test", "/otherwise"),
        ("/\t/evil.test", "/otherwise"),
        ("/\n/evil.test", "/otherwise"),
        ("\\\\evil.test", "/otherwise"),
        ("https://evil.test", "/otherwise"),
        ("javascript:alert(1)", "/otherwise"),
        ("/a\r\nSet-Cookie: a=b", "/otherwise"),
        ("/" + "a" * 9000, "/otherwise"),
    ],
)
def test_next_is_a_path_here_or_nothing(given_path: str | None, expected: str | None) -> None:
    assert local_path(given_path, "/otherwise") == (expected or given_path)


@given(st.text())
def test_no_text_leads_elsewhere(text: str) -> None:
    path = local_path(text, "/")
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))


def test_the_policy_names_nothing_foreign() -> None:
    policy = content_policy()
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self';" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_scripts_are_our_own_files_where_there_are_any() -> None:
    policy = content_policy(scripts=True)
    assert "script-src 'self'; connect-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("https://app.example", "https://app.example"),
        ("http://localhost:9876", "http://localhost:9876"),
        ("http://[::1]:9876", "http:"),
    ],
)
def test_the_policy_lets_a_form_go_on_to_the_client(origin: str, source: str) -> None:
    assert f"form-action 'self' {source};" in content_policy([origin])


@pytest.mark.parametrize("origin", ["javascript:alert(1)", "data:,x", "", "https://", "*"])
def test_the_policy_takes_no_other_scheme(origin: str) -> None:
    with pytest.raises(ValueError, match="http"):
        content_policy([origin])


def read(body: bytes, media_type: str = FORM) -> dict[str, list[str]]:
    form = asyncio.run(read_form(request_with({"content-type": media_type}, body)))
    return {key: many(form, key) for key in form}


def test_a_form_is_read_once_and_whole() -> None:
    assert read(b"a=1&b=&a=2&c=%C3%A9+%26", FORM + "; charset=utf-8") == {
        "a": ["1", "2"],
        "b": [""],
        "c": ["é &"],
    }
    assert read(b"") == {}


@pytest.mark.parametrize(
    ("body", "media_type", "reason"),
    [
        (b"a=1", "application/json", Reason.MEDIA_TYPE_UNSUPPORTED),
        (b"a=1", "text/plain", Reason.MEDIA_TYPE_UNSUPPORTED),
        (b"a=1", "", Reason.MEDIA_TYPE_UNSUPPORTED),
        (b"a=" + b"x" * LARGEST, FORM, Reason.PAYLOAD_TOO_LARGE),
        (b"&".join([b"a=1"] * (MOST_FIELDS + 1)), FORM, Reason.REQUEST_MALFORMED),
        (b"a=%FF", FORM, Reason.REQUEST_MALFORMED),
        (b"a=\xff", FORM, Reason.REQUEST_MALFORMED),
        (b"a", FORM, Reason.REQUEST_MALFORMED),
    ],
)
def test_a_form_that_is_none_is_refused(body: bytes, media_type: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read(body, media_type)
    assert refused.value.reason is reason


def test_what_is_asked_for_once_may_not_come_twice() -> None:
    form = asyncio.run(read_form(request_with({"content-type": FORM}, b"a=1&a=2&b=x%0A%0A+y+")))
    with pytest.raises(Refused):
        one(form, "a")
    assert one(form, "absent") == ""
    assert lines(form, "b") == ["x", "y"]


@pytest.mark.parametrize("draw", [name, breakable])
def test_filters_escape(draw: object) -> None:
    html = ENVIRONMENT.from_string("{{ draw(text) }}").render(draw=draw, text="<svg/onload=a(1)>")
    assert "<svg" not in html
    assert "&lt;svg/" in html


def test_names_keep_their_direction_to_themselves() -> None:
    assert name("a\u202eb") == "<bdi>a\u202eb</bdi>"
    assert isolated("a") == "\u2068a\u2069"


def test_times_are_for_people_and_machines() -> None:
    assert when(1_793_000_000_000) == (
        '<time datetime="2026-10-26T07:33:20.000Z">26 October 2026, 07:33 UTC</time>'
    )
