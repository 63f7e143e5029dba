"""Streams of requests in every form that HTTP/1.1 allows, cut anywhere, and streams that go wrong.

Each complete request gets one reply, in order, and one decision; the connection lives on, or ends
with the reply after which it must; nothing raises. Planted bugs that these tests were seen to fail
on: requests that wait put in another order; trailers taken for headers; what follows a request for
another protocol read while that is handled, so that its refusal becomes a failure in the log. With
`SALLYPORT_CASES=10000` they try as many streams.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol_world import Both, Reply, Wire, read_replies, two_servers

CASES = int(os.environ.get("SALLYPORT_CASES", "200"))
RELAXED = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# The long form takes as long as it takes.
pytestmark = pytest.mark.timeout(120 if CASES <= 300 else 0)

FIELDS = (
    *("X-Own: 1", "x-own: 2", "X-OWN:", "X-Odd:\t padded \t", "Cookie: a=b", "X-High: \xe9\xff"),
    *("TE: trailers", "Trailer: X-Late", "Connection: keep-alive", "Connection: x-own, x-odd"),
    *("Accept: */*", "Range: bytes=0-", "Content-Type: text/plain", f"X-Large: {'x' * 20_000}"),
    *("Upgrade: h2c", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Via: 1.1 a"),
)
ENDING = ("Connection: close", "Connection: x-own, Close")
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA")
EXTENSIONS = ("", ";a", ";a=1", ';a="b;c"', ";a;b=2")
TRAILERS = ("", "X-Late: 1\r\n", "Authorization: Bearer forged\r\nHost: b\r\n", "X: 1\r\nX: 2\r\n")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a stream. `is_call`: to an app, not to the application behind."""

    is_call: bool
    method: str
    absolute: bool
    version: str
    fields: tuple[str, ...]
    body: bytes | None
    chunks: tuple[tuple[int, str], ...]
    trailer: str

    @property
    def ends(self) -> bool:
        """Whether no request may follow on the connection."""
        return self.version == "1.0" or bool({*ENDING} & {*self.fields})

    def target(self, both: Both, marker: str) -> tuple[str, str]:
        """The target and the host that it is at."""
        token = both.history.tokens[0]
        site_id = both.history.site_of[token.grant_id]
        host = both.history.gateway._hosts[site_id]
        path = f"/page/{marker}"
        if self.is_call:
            app = f"{both.world.app.id}_{token.environment_id}"
            path = f"/svc/jira/{site_id}/apps/{app}/things/{marker}"
        return (f"http://{host}{path}" if self.absolute else path), host

    def head(self, both: Both, marker: str) -> list[str]:
        target, host = self.target(both, marker)
        token = both.history.tokens[0].raw
        lines = [f"{self.method} {target} HTTP/{self.version}", f"Host: {host}"]
        lines += [f"Authorization: Bearer {token}", *self.fields]
        if self.body is not None:
            lines.append(
                "Transfer-Encoding: chunked" if self.chunks else f"Content-Length: {len(self.body)}"
            )
        return lines

    def content(self) -> bytes:
        if self.body is None or not self.chunks:
            return self.body or b""
        parts, rest = [], self.body
        for size, extension in self.chunks:
            part, rest = rest[:size], rest[size:]
            if part:
                parts.append(f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n")
        if rest:
            parts.append(f"{len(rest):X}\r\n".encode() + rest + b"\r\n")
        return b"".join((*parts, b"0\r\n", self.trailer.encode(), b"\r\n"))

    def written(self, both: Both, marker: str) -> bytes:
        return "\r\n".join((*self.head(both, marker), "", "")).encode("latin-1") + self.content()


@st.composite
def requests(draw: Any, may_end: bool = True) -> Request:
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=4))
    fields = list(dict.fromkeys(fields))
    if draw(st.integers(0, 9)) == 0:
        fields += UPGRADE
    version = "1.1"
    if may_end and draw(st.integers(0, 9)) == 0:
        fields.append(draw(st.sampled_from(ENDING)))
    elif may_end and draw(st.integers(0, 19)) == 0:
        version = "1.0"
    body = draw(st.one_of(st.none(), st.binary(max_size=40), st.just(b"x" * 5_000)))
    chunks: list[Any] = []
    if version == "1.1" and body is not None and draw(st.booleans()):
        sizes = st.tuples(st.integers(1, 30), st.sampled_from(EXTENSIONS))
        chunks = draw(st.lists(sizes, min_size=1, max_size=4))
    return Request(
        is_call=draw(st.booleans()),
        method=draw(st.sampled_from(("GET", "GET", "POST", "PUT", "HEAD", "DELETE"))),
        absolute=draw(st.integers(0, 4)) == 0,
        version=version,
        fields=tuple(fields),
        body=body,
        chunks=tuple(chunks),
        trailer=draw(st.sampled_from(TRAILERS)),
    )


CUTS = st.lists(st.tuples(st.integers(0, 8_000), st.booleans()), max_size=6)
numbers = itertools.count()


class Heard(logging.Handler):
    """What was logged as a warning or worse while the block ran."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def nothing_raised() -> Iterator[None]:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(heard)
    assert heard.heard == []


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with two_servers(tmp_path_factory.mktemp("streams")) as made:
        tokens = made.history.tokens
        plain = Request(True, "GET", False, "1.1", (), None, (), "")
        for _ in range(len(tokens)):
            wire = made.loop.run_until_complete(sent(made, plain.written(made, "0"), ()))
            wire.close()
            if bytes(wire.sent).startswith(b"HTTP/1.1 200"):
                break
            tokens.append(tokens.pop(0))
        else:
            raise AssertionError("no token opens the route")
        yield made


async def sent(both: Both, data: bytes, cuts: Sequence[tuple[int, bool]]) -> Wire:
    """Send in pieces; after some of them everything that can happen does."""
    protocol, wire = both.fast.connect()
    waits = dict(cuts)
    for start, end in itertools.pairwise(
        sorted({0, len(data), *(c for c in waits if c < len(data))})
    ):
        if not wire.closing:
            protocol.data_received(data[start:end])
        if waits.get(end):
            await both.fast.settle()
    await both.fast.settle()
    return wire


async def check(both: Both, asked: Sequence[tuple[str, Request]], replies: Sequence[Reply]) -> None:
    """Each reply is the one to its request, and each call was decided once."""
    kept = await both.records(replies)
    for (marker, request), reply in zip(asked, replies, strict=True):
        if request.is_call:
            row = kept[reply.header("atl-request-id")]
            assert row.path.endswith(f"/things/{marker}")
            assert (row.method, row.status) == (request.method, reply.status)
            assert reply.status == (200 if request.method == "GET" else 405)
        elif request.method != "HEAD":
            expected = f"{request.method} /page/{marker} {len(request.body or b'')}"
            assert reply.body.decode() == expected
    ids = [reply.header("atl-request-id") for reply in replies]
    assert len({each for each in ids if each}) == sum(request.is_call for _, request in asked)
    ran = [call.request["path"] for call in both.ran]
    assert ran == [
        f"/things/{marker}"
        for (marker, request), reply in zip(asked, replies, strict=True)
        if request.is_call and reply.status == 200
    ]
    assert [call.body for call in both.ran] == [
        request.body or b""
        for (_, request), reply in zip(asked, replies, strict=True)
        if request.is_call and reply.status == 200
    ]


@RELAXED
@given(wanted=st.lists(requests(), min_size=1, max_size=5), cuts=CUTS)
def test_every_complete_request_gets_one_reply_in_order(
    both: Both, wanted: list[Request], cuts: list[tuple[int, bool]]
) -> None:
    async def case() -> None:
        both.ran.clear()
        asked = [(str(next(numbers)), each) for each in wanted]
        data = b"".join(each.written(both, marker) for marker, each in asked)
        wire = await sent(both, data, cuts)
        answered = asked[: next((n for n, (_, r) in enumerate(asked, 1) if r.ends), len(asked))]
        replies = read_replies(bytes(wire.sent), iter([r.method for _, r in answered]))
        await check(both, answered, replies)
        assert [each.header("connection") for each in replies[:-1]] == [None] * (len(replies) - 1)
        ended = answered[-1][1].ends
        assert (replies[-1].header("connection") == "close") is ended
        assert (wire.ended or wire.closing) is ended
        wire.close()
        await both.fast.settle()

    with nothing_raised():
        both.loop.run_until_complete(case())


# ---- streams that go wrong

Harm = Callable[[list[str]], list[str]]


def added(*fields: str) -> Harm:
    return lambda lines: [*lines, *fields]


def first(line: Callable[[str], str]) -> Harm:
    return lambda lines: [line(lines[0]), *lines[1:]]


CODED = "Transfer-Encoding: chunked"
HARMED_HEADS: dict[str, Harm] = {
    "two lengths": added("Content-Length: 3", "Content-Length: 4"),
    "a length and chunks": added("Content-Length: 3", CODED),
    "chunks and a length": added(CODED, "Content-Length: 3"),
    "no known coding": added("Transfer-Encoding: xchunked"),
    "two codings": added("Transfer-Encoding: gzip, chunked"),
    "chunked twice": added(CODED, CODED),
    "a length with a sign": added("Content-Length: +3"),
    "a length below zero": added("Content-Length: -3"),
    "a list of lengths": added("Content-Length: 3, 3"),
    "a huge length": added(f"Content-Length: {2**70}"),
    "a folded line": added("X-Own: 1\r\n 2"),
    "a space before the colon": added("X-Own : 1"),
    "a field without a colon": added("X-Own"),
    "a field without a name": added(": 1"),
    "a NUL": added("X-Own: a\0b"),
    "a bare CR": added("X-Own: a\rb"),
    "no host": lambda lines: [each for each in lines if not each.startswith("Host")],
    "two hosts": added("Host: other.test"),
    "another version": first(lambda line: line.replace("HTTP/1.1", "HTTP/1.2")),
    "a version of its own": first(lambda line: line.replace("HTTP/1.1", "HTTP/3")),
    "no such method": first(lambda line: line.replace("GET", "G@T")),
    "CONNECT": first(lambda _: "CONNECT a.test:80 HTTP/1.1"),
    "a space in the target": first(lambda line: line.replace(" HTTP", " x HTTP")),
    "a fragment": first(lambda line: line.replace(" HTTP", "#f HTTP")),
    "another authority": first(lambda _: "GET http://other.test/svc/x HTTP/1.1"),
    "too long a target": first(lambda line: line.replace(" HTTP", "x" * 20_000 + " HTTP")),
    "too many fields": added(*(f"X-{number}: 1" for number in range(2_000))),
    "too large a field": added("X-Huge: " + "x" * 200_000),
}
HARMED_BODIES = (
    *(b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n"),
    *(b"3\nabc\n0\n\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"\r\n3\r\nabc\r\n"),
    *(b"ffffffffffffffffff\r\nabc", b"3;a=\0\r\nabc\r\n0\r\n\r\n", b"3 3\r\nabc\r\n0\r\n\r\n"),
)


@RELAXED
@given(
    before=st.lists(requests(may_end=False), max_size=3),
    harm=st.sampled_from(sorted(HARMED_HEADS)),
    is_call=st.booleans(),
    after=requests(),
    cuts=CUTS,
)
def test_a_head_that_can_be_read_in_two_ways_ends_the_connection_and_is_decided_by_nobody(
    both: Both, before: list[Request], harm: str, is_call: bool, after: Request, cuts: Any
) -> None:
    async def case() -> None:
        both.ran.clear()
        asked = [(str(next(numbers)), each) for each in before]
        whole = Request(is_call, "GET", False, "1.1", (), None, (), "")
        lines = HARMED_HEADS[harm](whole.head(both, str(next(numbers))))
        data = b"".join(each.written(both, marker) for marker, each in asked)
        data += "\r\n".join((*lines, "", "")).encode("latin-1")
        data += after.written(both, "after")
        wire = await sent(both, data, cuts)
        replies = read_replies(bytes(wire.sent), iter([r.method for _, r in asked]))
        assert len(replies) == len(asked) + 1, harm
        await check(both, asked, replies[:-1])
        last = replies[-1]
        assert (400 <= last.status < 500, last.header("connection")) == (True, "close"), harm
        assert last.header("atl-request-id") is None, harm
        assert wire.ended or wire.closing
        wire.close()
        await both.fast.settle()

    with nothing_raised():
        both.loop.run_until_complete(case())


@RELAXED
@given(
    before=st.lists(requests(may_end=False), max_size=2),
    body=st.sampled_from(HARMED_BODIES),
    is_call=st.booleans(),
    after=requests(),
    cuts=CUTS,
)
def test_a_body_that_cannot_be_read_runs_nothing_and_ends_the_connection(
    both: Both, before: list[Request], body: bytes, is_call: bool, after: Request, cuts: Any
) -> None:
    async def case() -> None:
        both.ran.clear()
        asked = [(str(next(numbers)), each) for each in before]
        whole = Request(
            is_call, "POST", False, "1.1", ("Transfer-Encoding: chunked",), None, (), ""
        )
        data = b"".join(each.written(both, marker) for marker, each in asked)
        data += whole.written(both, str(next(numbers))) + body + after.written(both, "after")
        wire = await sent(both, data, cuts)
        replies = read_replies(bytes(wire.sent), iter([r.method for _, r in asked]))
        assert len(asked) <= len(replies) <= len(asked) + 1
        await check(both, asked, replies[: len(asked)])
        for last in replies[len(asked) :]:
            assert 400 <= last.status < 500
        assert wire.ended or wire.closing
        wire.close()
        await both.fast.settle()

    with nothing_raised():
        both.loop.run_until_complete(case())
