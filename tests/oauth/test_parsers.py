"""Untrusted input is read or refused, and never anything else."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from sallyport.control.callbacks import check_callback
from sallyport.oauth.errors import OAuthError, plain
from sallyport.oauth.parameters import MOST_FIELDS, Malformed, Parameters, read_body, read_query
from sallyport.vocab.errors import Refused
from sallyport.vocab.message import Asked

KNOWN = frozenset({"client_id", "scope", "state"})
NAMES = st.sampled_from(sorted(KNOWN | {"other"}))
VALUES = st.text(max_size=20)


def request(query: bytes) -> Request:
    return Request({"type": "http", "method": "GET", "query_string": query, "headers": []})


def read(body: bytes, media_type: str) -> Parameters:
    headers = [(b"content-type", media_type.encode())]
    return read_body(Asked("POST", "/oauth/token", b"", headers, ""), body, KNOWN)


@given(st.binary(max_size=300))
def test_any_query_is_read_or_malformed(raw: bytes) -> None:
    with contextlib.suppress(Malformed):
        read_query(request(raw), KNOWN)


@given(st.binary(max_size=300), st.sampled_from(["form", "json", "other"]))
def test_any_body_is_read_or_an_oauth_error(raw: bytes, kind: str) -> None:
    media_type = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
    with contextlib.suppress(OAuthError):
        read(raw, media_type.get(kind, kind))


PIECES = st.sampled_from(["client_id", "state", "=", "=", "&", "+", "%C3%A9", "%ff", "%2", "a", ""])


@given(st.lists(PIECES, max_size=30).map("".join))
@example("client_id=" + "&client_id=a" * 59)
@example("client_id=" + "&client_id=a" * 60)
def test_a_form_is_read_as_the_standard_library_reads_it(text: str) -> None:
    try:
        pairs = parse_qsl(
            text, True, strict_parsing=bool(text), errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        with pytest.raises(Malformed):
            read_query(request(text.encode()), KNOWN)
    else:
        found = read_query(request(text.encode()), KNOWN)
        assert found.all() == {name: value for name, value in pairs if name in KNOWN}


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_what_comes_twice_has_no_value(pairs: list[tuple[str, str]]) -> None:
    parameters = read_query(request(urlencode(pairs).encode()), KNOWN)
    for name in KNOWN:
        sent = [value for each, value in pairs if each == name]
        assert parameters.get(name) == ((sent[0] or None) if len(sent) == 1 else None)
        assert (name in parameters.repeated) == (len(sent) > 1)
    assert parameters.get("other") is None


@given(st.dictionaries(NAMES, st.text(st.characters(min_codepoint=32, max_codepoint=126))))
def test_forms_and_json_say_the_same(fields: dict[str, str]) -> None:
    form = read(urlencode(fields).encode(), "application/x-www-form-urlencoded; charset=utf-8")
    as_json = read(json.dumps(fields).encode(), "Application/JSON")
    assert form.pairs() == as_json.pairs()


@given(st.text(max_size=40))
def test_descriptions_hold_what_rfc_6749_allows(text: str) -> None:
    assert all(" " <= each <= "~" and each not in '"\\' for each in plain(text))


HOSTS = st.sampled_from(["client.test", "CLIENT.test", "localhost", "[::1]", "127.1", "u@c.test"])
PARTS = st.text(st.sampled_from("ab/.%2eE:?#@\\*&=é ~-_;"), max_size=12)


@given(st.sampled_from(["https://", "http://", "HTTPS://", "//", "javascript:"]), HOSTS, PARTS)
def test_a_callback_that_is_taken_means_the_same_to_another_parser(
    scheme: str, host: str, rest: str
) -> None:
    address = scheme + host + rest
    try:
        check_callback(address)
    except Refused:
        return
    url = httpx.URL(address)
    assert url.scheme in ("https", "http")
    assert url.userinfo == b""
    assert url.fragment == ""
    assert str(url).rstrip("/") == address.rstrip("/")


@given(st.text(max_size=60))
def test_any_text_is_a_callback_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        check_callback(text)
