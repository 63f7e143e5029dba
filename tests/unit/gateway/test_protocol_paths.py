"""Calls are decided, answered and recorded alike, whichever way they go through the server.

Planted bugs that these tests were seen to fail on: a query that is split at its last question mark;
a body's first part alone handed to the function; another refusal on the fast path; a fast path that
keeps every connection; a path that is decoded before it is decided on; a body after HEAD. With
`SALLYPORT_CASES=10000` they try as many requests.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol_world import Both, Reply, Side, read_replies, two_servers

CASES = int(os.environ.get("SALLYPORT_CASES", "300"))
RELAXED = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# The long form takes as long as it takes.
pytestmark = pytest.mark.timeout(120 if CASES <= 300 else 0)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with two_servers(tmp_path_factory.mktemp("both")) as made:
        yield made


PATHS = (
    *("/things", "/things/1", "/things/1/2", "/things/a%20b", "/old"),
    *("/nothing", "/things/", "//things", "/things/%2e%2e", "/things;x", "/things/\xff"),
)
QUERIES = ("", "?", "?a=1&a=2", "?a=b?c=d", "?q=%C3%A9", "?q=%ff", "?do=fail", "?do=204", "?do=205")
QUERIES += ("?do=large", "?do=304", "#fragment")
EXTRA = (
    "X-Own: 1",
    "X-Own: 2",
    "Accept: text/html",
    "Content-Type: application/json",
    "Connection: close",
    "Connection: x-own",
    "Expect: 100-continue",
    'Idempotency-Key: "{key}"',
    "Idempotency-Key: not valid",
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Origin: https://page.test",
    "Access-Control-Request-Method: GET",
    "X_User: forged",
    "X-Slauth-User-Context-Account-Id: forged",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA",
)
METHODS = ("GET",) * 6 + ("POST",) * 5 + ("PUT", "HEAD", "OPTIONS", "DELETE")


@st.composite
def requests(draw: Any) -> dict[str, Any]:
    return {
        "method": draw(st.sampled_from(METHODS)),
        "form": draw(st.sampled_from(("cloud id",) * 4 + ("host", "absolute"))),
        "path": draw(st.sampled_from(PATHS[:3] * 4 + PATHS)),
        "query": draw(st.sampled_from(QUERIES)),
        "token": draw(st.integers(-2, 29)),
        "extra": draw(st.lists(st.sampled_from(EXTRA), max_size=3, unique=True)),
        "many": draw(st.sampled_from((0,) * 20 + (101, 300))),
        "body": draw(st.one_of(st.none(), st.binary(max_size=60), st.just(b"x" * 3_000))),
        "chunks": draw(st.one_of(st.just(0), st.integers(1, 30))),
        "trailer": draw(st.booleans()),
        "version": draw(st.sampled_from(("1.1",) * 9 + ("1.0",))),
        "cuts": draw(st.lists(st.integers(0, 2000), max_size=4)),
    }


def written(both: Both, asked: dict[str, Any], key: str) -> tuple[bytes, list[str]]:
    """The bytes of a request, and the app's path and query as they stand in them."""
    history = both.history
    token = history.tokens[max(asked["token"], 0) % len(history.tokens)]
    site_id = history.site_of[token.grant_id]
    host = history.gateway._hosts[site_id]
    app = f"apps/{both.world.app.id}_{token.environment_id}{asked['path']}"
    target = f"/svc/jira/{site_id}/{app}"
    if asked["form"] == "host":
        target = f"/gateway/api/svc/jira/{app}"
    elif asked["form"] == "absolute":
        target = f"http://{host}{target}"
    lines = [f"{asked['method']} {target}{asked['query']} HTTP/{asked['version']}", f"Host: {host}"]
    if asked["token"] >= 0:
        lines.append(f"Authorization: Bearer {token.raw}")
    elif asked["token"] == -2:
        lines.append("Authorization: Bearer abc.def.ghi")
    lines += [line.replace("{key}", key) for line in asked["extra"]]
    lines += [f"X-{n}: 1" for n in range(asked["many"])]
    body = asked["body"]
    content = b""
    if body is not None and asked["chunks"]:
        lines.append("Transfer-Encoding: chunked")
        size = max(1, len(body) // asked["chunks"])
        for at in range(0, len(body), size):
            part = body[at : at + size]
            content += b"%x;ext=1\r\n%s\r\n" % (len(part), part)
        content += b"0\r\n" + (b"Authorization: Bearer forged\r\n" if asked["trailer"] else b"")
        content += b"\r\n"
    elif body is not None:
        lines.append(f"Content-Length: {len(body)} ")
        content = body
    return "\r\n".join((*lines, "", "")).encode("latin-1") + content, lines


async def sent_through(side: Side, data: bytes, cuts: list[int], method: str) -> Any:
    protocol, wire = side.connect()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(edges):
        if not wire.closing:
            protocol.data_received(data[start:end])
        if end < len(data):
            await side.settle()
    await side.settle()
    replies = read_replies(bytes(wire.sent), iter((method,)))
    ended = wire.ended or wire.closing
    wire.close()
    await side.settle()
    assert len(replies) == 1, (data[:400], bytes(wire.sent)[:400])
    return replies[0], ended


IDS = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|r=\d+;t=\d+")
SPAN = re.compile(rb"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}|-[0-9a-f]{16}-0")

KEY = re.compile(rb"\d+-(fast|slow)")


def alike(reply: Reply, expects: bool) -> Any:
    """A reply without what differs between any two calls."""

    def plain(data: bytes) -> bytes:
        return KEY.sub(b"key", SPAN.sub(b"span", IDS.sub(b"id", data)))

    headers = sorted(
        (name, plain(value.encode("latin-1")))
        for name, value in reply.headers
        # The ASGI application's connection ends after any request with `Expect`.
        if not (name == "connection" and expects)
    )
    if reply.header("content-length") and IDS.search(reply.body):
        headers = [each for each in headers if each[0] != "content-length"]
    return reply.status, headers, plain(reply.body)


numbers = itertools.count()
SAME = (
    *("method", "path", "status", "gate", "reason", "site_id", "app_id", "environment_id"),
    *("installation_id", "route_key", "client_id", "account_id", "grant_id", "worker_us"),
    "bytes_in",
)


@RELAXED
@given(asked=requests())
def test_both_ways_answer_and_record_alike(both: Both, asked: dict[str, Any]) -> None:
    async def case() -> None:
        both.ran.clear()
        number = next(numbers)
        for side in (both.fast, both.slow):
            key = f"{number}-{'fast' if side is both.fast else 'slow'}"
            data, _ = written(both, asked, key)
            before = len(both.ran)
            seen[key] = await sent_through(side, data, asked["cuts"], asked["method"])
            runs.append(both.ran[before:])
        (fast, fast_ended), (slow, slow_ended) = seen.values()
        expects = "Expect: 100-continue" in asked["extra"]
        assert alike(fast, expects) == alike(slow, expects)
        assert expects or fast_ended == slow_ended
        assert [len(each) for each in runs] in ([0, 0], [1, 1])
        for ran in runs:
            for call in ran:
                # What was decided on is what runs, and what runs is what was asked for.
                assert call.request["path"] == asked["path"]
                assert call.request["method"] == asked["method"]
                assert call.body == (asked["body"] or b"")
        kept = await both.records((fast, slow))
        ids = [reply.header("atl-request-id") for reply in (fast, slow)]
        rows = [kept.get(each or "") for each in ids]
        assert (rows[0] is None) == (rows[1] is None)
        if rows[0] is not None:
            assert [getattr(rows[0], f) for f in SAME] == [getattr(rows[1], f) for f in SAME]

    seen: dict[str, Any] = {}
    runs: list[Any] = []
    both.loop.run_until_complete(case())


# ---- whatever bytes come

GOOD = (
    b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /page HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /svc/x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /svc/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /svc/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"GET /svc/x HTTP/1.0\r\n\r\n",
)


@st.composite
def streams(draw: Any, call: bytes = b"") -> tuple[bytes, list[int]]:
    """Requests in a row, some of them damaged, in any pieces."""
    made = b""
    for _ in range(draw(st.integers(1, 4))):
        part = bytearray(draw(st.sampled_from(GOOD)) if draw(st.booleans()) else b"\0CALL\0")
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(part)))
            junk = draw(st.one_of(st.binary(max_size=3), st.sampled_from((b"\r", b"\n", b" "))))
            part[at : at + draw(st.integers(0, 3))] = junk
        made += bytes(part)
    if draw(st.integers(0, 9)) == 0:
        made += draw(st.binary(max_size=50))
    return made, draw(st.lists(st.integers(0, 600), max_size=5))


@RELAXED
@given(stream=streams())
def test_no_bytes_break_the_protocol(both: Both, stream: tuple[bytes, list[int]]) -> None:
    data, cuts = stream
    plain = {"form": "cloud id", "query": "", "extra": [], "many": 0, "body": b"hello", "token": 0}
    plain |= {"method": "POST", "path": "/things", "chunks": 0, "version": "1.1"}
    call, _ = written(both, plain, "")
    data = data.replace(b"\0CALL\0", call)

    async def case() -> None:
        protocol, wire = both.fast.connect()
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in itertools.pairwise(edges):
            if not wire.closing:
                protocol.data_received(data[start:end])
        await both.fast.settle()
        replies = read_replies(bytes(wire.sent), iter(()))
        assert len(replies) <= data.count(b"HTTP/1.") + 1
        for reply in replies[:-1]:
            assert reply.header("connection") != "close"
        protocol.check(both.loop.time() + 1_000)
        wire.close()
        await both.fast.settle()
        assert protocol not in both.fast.state.connections

    both.loop.run_until_complete(case())
