"""T-SMUG: one connection, one reading of its bytes; what could be read in two ways ends it.

Raw sockets against a whole server. A second request hides behind each attack: it must never be
answered, and never be taken for part of the first.

Planted bugs that these tests were seen to fail on: a Transfer-Encoding that ends in chunked is
taken; chunked in HTTP/1.0 is; two Host headers are, or none; any version; a fragment in the
target; another host in the target than in Host; trailers become headers; a length with a space
behind it counts as none; a refusal of bytes overtakes the replies before it; calls of one
connection run at once; the connection is kept after a body was not asked for; bytes after a
request to upgrade are dropped.
"""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlencode

import pytest

from app_world import DeployedApp
from raw_line import Line


@pytest.fixture
def line(echo: DeployedApp) -> Any:
    with Line(echo) as made:
        yield made


CHUNKED = "Transfer-Encoding: chunked"
BODY = b"0\r\n\r\n"
# Fields of a POST that is 400, and the bytes that stand after its head.
FIELDS: dict[str, tuple[list[str], bytes]] = {
    "CL.TE": (["Content-Length: 5", CHUNKED], BODY),
    "TE.CL": ([CHUNKED, "Content-Length: 5"], BODY),
    "two lengths": (["Content-Length: 0", "Content-Length: 5"], b"hello"),
    "two equal lengths": (["Content-Length: 5", "Content-Length: 5"], b"hello"),
    "list of lengths": (["Content-Length: 5, 5"], b"hello"),
    "plus": (["Content-Length: +5"], b"hello"),
    "minus": (["Content-Length: -5"], b"hello"),
    "hexadecimal": (["Content-Length: 0x5"], b"hello"),
    "inner space": (["Content-Length: 0 5"], b"hello"),
    "empty length": (["Content-Length:"], b"hello"),
    "huge length": (["Content-Length: " + "9" * 40], b"hello"),
    "xchunked": (["Transfer-Encoding: xchunked"], BODY),
    "gzip, chunked": (["Transfer-Encoding: gzip, chunked"], BODY),
    "chunked, identity": (["Transfer-Encoding: chunked, identity"], BODY),
    "identity": (["Transfer-Encoding: identity"], BODY),
    "quoted": (['Transfer-Encoding: "chunked"'], BODY),
    "chunked twice": ([CHUNKED, CHUNKED], BODY),
    "TE, then other TE": ([CHUNKED, "Transfer-Encoding: cow"], BODY),
    "space before the colon": (["Transfer-Encoding : chunked"], BODY),
    "vertical tab": (["Transfer-Encoding: \x0bchunked"], BODY),
    "obs-fold": (["X-A: b", " c"], b""),
    "folded TE": (["Transfer-Encoding:", " chunked"], BODY),
    "NUL in a value": (["X-A: b\0c"], b""),
    "NUL in a name": (["X-\0A: b"], b""),
    "bare CR": (["X-A: b\rX-B: c"], b""),
    "bare LF": (["X-A: b\nX-B: c"], b""),
    "LF before TE": ([f"X-A: b\n{CHUNKED}"], BODY),
    "no name": ([": b"], b""),
    "space in a name": (["X A: b"], b""),
    "no colon": (["X-A"], b""),
    "control character": (["X-A: b\x01c"], b""),
    "second Host": (["Host: elsewhere.test"], b""),
    "chunk in hexadecimal prefix": ([CHUNKED], b"0x5\r\nhello\r\n0\r\n\r\n"),
    "negative chunk": ([CHUNKED], b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk with a space": ([CHUNKED], b"5 \r\nhello\r\n0\r\n\r\n"),
    "chunk with an underscore": ([CHUNKED], b"0_5\r\nhello\r\n0\r\n\r\n"),
    "chunk ends in LF": ([CHUNKED], b"5\nhello\r\n0\r\n\r\n"),
    "extension ends in LF": ([CHUNKED], b"5;a\nhello\r\n0\r\n\r\n"),
    "chunk too long for its size": ([CHUNKED], b"3\r\nhello\r\n0\r\n\r\n"),
    "chunk without its end": ([CHUNKED], b"5\r\nhello0\r\n\r\n"),
    "overflowing chunk": ([CHUNKED], b"fffffffffffffffff1\r\nhello\r\n0\r\n\r\n"),
    "last chunk ends in LF": ([CHUNKED], b"5\r\nhello\r\n0\n\n"),
}


def refused_once(line: Line, status: int = 400) -> dict[str, Any]:
    """One refusal, and after it nothing but the end."""
    got, headers, body = line.reply()
    assert got == status, body
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert line.rest() == b""
    problem: dict[str, Any] = json.loads(body)
    return problem


@pytest.mark.parametrize("name", FIELDS)
def test_a_request_that_can_be_read_in_two_ways_ends_its_connection(line: Line, name: str) -> None:
    fields, content = FIELDS[name]
    hidden = line.head("GET", "/open/hidden")
    line.send(line.head("POST", "/open/first", *fields) + content + hidden)
    assert refused_once(line)["reason"] == "request_malformed"


HEADS = {
    "LF only": b"GET {} HTTP/1.1\nHost: {host}\n\n",
    "no Host": b"GET {} HTTP/1.1\r\n\r\n",
    "space before the first field": b"GET {} HTTP/1.1\r\n X: b\r\nHost: {host}\r\n\r\n",
    "HTTP/1.2": b"GET {} HTTP/1.2\r\nHost: {host}\r\n\r\n",
    "HTTP/2.0": b"GET {} HTTP/2.0\r\nHost: {host}\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TE in HTTP/1.0": b"POST {} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CONNECT": b"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "fragment": b"GET {}#fragment HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "space in the target": b"GET {} x HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "other host in the target": b"GET http://other.test{} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_none_ends_its_connection(line: Line, name: str) -> None:
    path = (line.app.base_path + "/open/x").encode()
    made = HEADS[name].replace(b"{}", path).replace(b"{host}", line.host.encode())
    line.send(made + line.head("GET", "/open/hidden"))
    refused_once(line)


def test_pipelined_calls_are_answered_in_order_each_with_its_own_token(line: Line) -> None:
    line.send(
        line.head("GET", "/open/1")
        + line.head("GET", "/open/2", token="abc.def.ghi")
        + line.head("POST", "/open/3", "Content-Length: 2")
        + b"hi"
        + line.head("POST", "/open/4", CHUNKED)
        + b"2;ext=1\r\nho\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
        + f"GET /_edge/tenant_info HTTP/1.1\r\nHost: {line.host}\r\n\r\n".encode()
        + line.head("GET", "/open/5")
    )
    replies = [line.reply() for _ in range(6)]
    assert [status for status, _, _ in replies] == [200, 401, 200, 200, 404, 200]
    seen = {number: json.loads(replies[number][2]) for number in (0, 2, 3, 5)}
    assert [seen[n]["path"] for n in (0, 2, 3, 5)] == ["/open/1", "/open/3", "/open/4", "/open/5"]
    assert [seen[n]["body"] for n in (2, 3)] == ["hi", "ho"]
    assert "authorization" not in json.dumps(seen)


def test_pipelined_token_requests_are_answered_in_order_beside_calls_and_pages(line: Line) -> None:
    facts = line.app.demo.facts
    who = {"client_id": facts["client_id"], "client_secret": facts["client_secret"]}

    def ask(**fields: str) -> bytes:
        body = urlencode({**fields, **who})
        lines = ("POST /oauth/token HTTP/1.1", f"Host: {line.host}", f"Content-Length: {len(body)}")
        form = "Content-Type: application/x-www-form-urlencoded"
        return "\r\n".join((*lines, form, "", body)).encode()

    line.send(
        ask(grant_type="client_credentials")
        + line.head("GET", "/open/1")
        + ask(grant_type="nonsense")
        + f"GET /login HTTP/1.1\r\nHost: {line.host}\r\n\r\n".encode()
        + ask(grant_type="refresh_token", refresh_token=line.app.tokens["access_token"])
        + line.head("GET", "/open/2")
    )
    replies = [line.reply() for _ in range(6)]
    assert [status for status, _, _ in replies] == [400, 200, 400, 200, 400, 200]
    errors = [json.loads(replies[number][2])["error"] for number in (0, 2, 4)]
    assert errors == ["unauthorized_client", "unsupported_grant_type", "invalid_grant"]
    assert [json.loads(replies[n][2])["path"] for n in (1, 5)] == ["/open/1", "/open/2"]
    assert replies[3][1]["content-type"].startswith("text/html")


def test_a_refusal_of_bytes_waits_for_the_replies_before_it(line: Line) -> None:
    line.send(line.head("GET", "/open/1") + b"GARBAGE\r\n\r\n" + line.head("GET", "/open/2"))
    assert line.reply()[0] == 200
    refused_once(line)


def test_a_bad_chunk_after_a_good_call_ends_the_connection(line: Line) -> None:
    line.send(line.head("GET", "/open/1"))
    assert line.reply()[0] == 200
    line.send(line.head("POST", "/open/2", CHUNKED))
    line.send(b"5\r\nhelloXX" + line.head("GET", "/open/3"))
    refused_once(line)


def test_a_request_for_another_protocol_is_a_call_like_any_other(line: Line) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")
    line.send(line.head("POST", "/open/1", *upgrade, "Content-Length: 2") + b"hi")
    status, _, body = line.reply()
    seen = json.loads(body)
    assert (status, seen["body"]) == (200, "hi")
    assert not {"upgrade", "http2-settings", "connection"} & set(seen["headers"])
    line.send(line.head("GET", "/open/2"))
    assert line.reply()[0] == 200


def test_after_connection_close_nothing_is_read(line: Line) -> None:
    line.send(line.head("GET", "/open/1", "Connection: close") + line.head("GET", "/open/2"))
    status, headers, _ = line.reply()
    assert (status, headers["connection"]) == (200, "close")
    assert line.rest() == b""


def test_a_body_that_was_not_asked_for_is_no_request(line: Line) -> None:
    hidden = line.head("GET", "/open/hidden")
    fields = ("Expect: 100-continue", f"Content-Length: {len(hidden)}")
    line.send(line.head("POST", "/open/1", *fields, token="abc.def.ghi"))
    status, headers, _ = line.reply()
    assert (status, headers["connection"]) == (401, "close")
    line.send(hidden)
    assert line.rest() == b""


def test_a_body_is_asked_for_once_the_call_may_be_made(line: Line) -> None:
    line.send(line.head("POST", "/open/1", "Expect: 100-continue", "Content-Length: 2"))
    assert line.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.send(b"hi")
    status, headers, body = line.reply()
    assert (status, json.loads(body)["body"]) == (200, "hi")
    assert "connection" not in headers


def test_an_announced_length_counts_with_spaces_around_it(line: Line) -> None:
    line.send(line.head("PUT", "/json", "Content-Length: 2 \t") + b"{}")
    status, _, body = line.reply()
    assert (status, json.loads(body)["reason"]) == (415, "media_type_unsupported")


def test_heads_beyond_all_limits_are_not_kept(line: Line) -> None:
    line.send(line.head("GET", "/open/1")[:-2])
    try:
        for _ in range(400):
            line.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return
    assert refused_once(line, 431)["reason"] == "headers_too_large"


def test_a_target_beyond_all_limits_is_414(line: Line) -> None:
    line.send(line.head("GET", "/open/1?" + "x" * 20_000))
    assert refused_once(line, 414)["reason"] == "target_too_long"


def test_the_bytes_of_a_call_may_come_one_by_one(line: Line) -> None:
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in line.head("POST", "/open/1", CHUNKED) + b"2\r\nhi\r\n0\r\n\r\n":
        line.send(bytes((byte,)))
    status, _, body = line.reply()
    assert (status, json.loads(body)["body"]) == (200, "hi")
