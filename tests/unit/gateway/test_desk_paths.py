"""Desks answer alike, whichever way a request goes through the server, and in their turn.

Planted bugs that these tests were seen to fail on: a desk asked before the replies it waits for are
out; a body without a limit; a request whose client hung up answered; a body taken for whole at its
first part; the time for a body begun anew by each part; the address counted after the body is
here; a desk that raises; any method taken for POST; desks of a process that is behind.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from protocol_world import Both, Reply, Side, Wire, read_replies, two_servers
from sallyport.app.desks import find_desks
from sallyport.oauth import token
from sallyport.oauth.limits import RequestLimits
from sallyport.oauth.parameters import LARGEST_BODY
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.vocab.buckets import Quota

CASES = int(os.environ.get("SALLYPORT_CASES", "300"))
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with two_servers(tmp_path_factory.mktemp("desks")) as made:
        yield made


def run(both: Both, case: Callable[[], Coroutine[Any, Any, None]]) -> None:
    both.loop.run_until_complete(case())


def ask(both: Both, *fields: str, body: bytes | None = None, length: int | None = None) -> bytes:
    """The bytes of a request for a token, by the service account unless `body` says otherwise."""
    if body is None:
        body = grant(both)
    size = len(body) if length is None else length
    lines = ("POST /oauth/token HTTP/1.1", "Host: a", f"Content-Type: {FORM}", *fields)
    return "\r\n".join((*lines, f"Content-Length: {size}", "", "")).encode() + body


def grant(both: Both, **more: str) -> bytes:
    who = {"client_id": both.machine.client_id, "client_secret": both.machine_secret}
    return urlencode({"grant_type": "client_credentials", **who, **more}).encode()


def replies(wire: Wire) -> list[Reply]:
    return read_replies(bytes(wire.sent), iter(()))


async def families(both: Both) -> int:
    """How many tokens were ever issued."""

    async def count(reader: Reader) -> Any:
        return await reader.scalar(select(func.count()).select_from(schema.token_family))

    found: int = await both.store.read(count)
    return found


# ---- alike

PATHS = ("/oauth/token",) * 12 + ("/oauth/%74oken", "/oauth/token/", "/oauth/revoke")
PATHS += ("/oauth/introspect", "/oauth/par", "/oauth/token?a=b", "/oauth/token?")
TYPES = (FORM,) * 8 + ("application/json", "text/plain", f"{FORM.upper()} ; charset=utf-8", "")
EXTRA = (
    "Connection: close",
    "Expect: 100-continue",
    "DPoP: abc",
    "Accept: text/html",
    "Authorization: Bearer x",
    "Authorization: Basic !",
    "Content-Type: text/html",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA",
)
FIELDS: dict[str, tuple[str, ...]] = {
    "grant_type": ("client_credentials",) * 6 + ("refresh_token", "authorization_code", "x", ""),
    "scope": ("read:employee:custom", "read:other:custom", "%zz", "a b", "\u00e9+\u2028"),
    "resource": ("http://a", "https://elsewhere.test"),
    "code": ("x",),
    "token": ("x",),
    "ignored": ("x",),
}


@st.composite
def requests(draw: Any) -> dict[str, Any]:
    fields = {"grant_type": draw(st.sampled_from(FIELDS["grant_type"]))}
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2)):
        fields[name] = draw(st.sampled_from(FIELDS[name]))
    return {
        "method": draw(st.sampled_from(("POST",) * 10 + ("GET", "HEAD", "OPTIONS", "PUT"))),
        "path": draw(st.sampled_from(PATHS)),
        "type": draw(st.sampled_from(TYPES)),
        "fields": fields,
        "junk": draw(st.one_of(st.just(b""), st.just(b""), st.binary(max_size=20))),
        "by": draw(st.sampled_from(("basic",) * 4 + ("body", "both", "wrong", "nobody"))),
        "extra": draw(st.lists(st.sampled_from(EXTRA), max_size=2, unique=True)),
        "large": draw(st.sampled_from((0,) * 10 + (LARGEST_BODY, 3 * LARGEST_BODY))),
        "chunks": draw(st.sampled_from((0, 0, 1, 7))),
        "version": draw(st.sampled_from(("1.1",) * 9 + ("1.0",))),
        "cuts": draw(st.lists(st.integers(0, 600), max_size=4)),
    }


def written(both: Both, asked: dict[str, Any]) -> bytes:
    machine, secret = both.machine.client_id, both.machine_secret
    fields = dict(asked["fields"])
    lines = [f"{asked['method']} {asked['path']} HTTP/{asked['version']}", "Host: a"]
    if asked["type"]:
        lines.append(f"Content-Type: {asked['type']}")
    if asked["by"] in ("basic", "both", "wrong"):
        pair = f"{machine}:{secret if asked['by'] != 'wrong' else 'x'}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(pair).decode()}")
    if asked["by"] in ("body", "both"):
        fields |= {"client_id": machine, "client_secret": secret}
    body = (
        urlencode(fields).encode() if "json" not in asked["type"] else json.dumps(fields).encode()
    )
    body += asked["junk"] + b"x" * asked["large"]
    lines += asked["extra"]
    content = body
    if asked["chunks"] and asked["version"] == "1.1":
        lines.append("Transfer-Encoding: chunked")
        size = max(1, len(body) // asked["chunks"])
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        content = b"".join([b"%x\r\n%s\r\n" % (len(part), part) for part in parts]) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + content


async def sent_through(side: Side, data: bytes, cuts: list[int], method: str) -> Any:
    protocol, wire = side.connect()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(edges):
        if not wire.closing:
            protocol.data_received(data[start:end])
            await asyncio.sleep(0)
    await side.settle()
    found = read_replies(bytes(wire.sent), iter((method,)))
    ended = wire.ended or wire.closing
    wire.close()
    await side.settle()
    assert len(found) == 1, bytes(wire.sent)[:400]
    return found[0], ended


TOKEN = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def alike(reply: Reply, expects: bool) -> Any:
    """A reply without what differs between any two, and without the order of its headers."""
    headers = sorted(
        (name, value)
        for name, value in reply.headers
        # The ASGI application's connection ends after any request with `Expect`.
        if not (name == "connection" and expects)
    )
    return reply.status, headers, TOKEN.sub(b"token", reply.body)


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=requests())
def test_both_ways_answer_and_issue_alike(both: Both, asked: dict[str, Any]) -> None:
    async def case() -> None:
        data = written(both, asked)
        before = await families(both)
        fast, fast_ended = await sent_through(both.fast, data, asked["cuts"], asked["method"])
        between = await families(both)
        slow, slow_ended = await sent_through(both.slow, data, asked["cuts"], asked["method"])
        assert between - before == await families(both) - between
        expects = "Expect: 100-continue" in asked["extra"]
        assert alike(fast, expects) == alike(slow, expects)
        assert expects or fast_ended == slow_ended

    run(both, case)


# ---- in turn


def test_requests_of_all_kinds_are_answered_in_order(both: Both) -> None:
    """A grant takes a commit, a page a task, a call neither; none overtakes another."""

    async def case() -> None:
        protocol, wire = both.fast.connect()
        call = f"GET /svc/jira/{both.world.site.id}/apps/{both.world.app.id}/x HTTP/1.1\r\n"
        page = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
        sent = (
            ask(both),
            call.encode() + b"Host: a\r\n\r\n",
            ask(both),
            page,
            ask(both, body=b"x"),
        )
        protocol.data_received(b"".join(sent) + ask(both))
        await both.fast.settle()
        found = replies(wire)
        assert [each.status for each in found] == [200, 404, 200, 200, 400, 200]
        tokens = [json.loads(found[at].body)["access_token"] for at in (0, 2, 5)]
        assert len(set(tokens)) == 3
        assert found[3].body == b"GET /page 0"
        assert all(each.header("connection") is None for each in found)
        wire.close()

    run(both, case)


def test_a_grant_waits_for_the_whole_of_its_body(both: Both) -> None:
    async def case() -> None:
        protocol, wire = both.fast.connect()
        for byte in ask(both):
            assert not wire.sent
            protocol.data_received(bytes((byte,)))
            await asyncio.sleep(0)
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [200]
        wire.close()

    run(both, case)


def test_a_body_beyond_the_limit_is_refused_before_it_ends(both: Both) -> None:
    async def case() -> None:
        protocol, wire = both.fast.connect()
        half = b"x" * (LARGEST_BODY + 1)
        protocol.data_received(ask(both, body=half, length=len(half) + 5))
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [413]
        protocol.data_received(b"x" * 5 + ask(both))
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [413, 200]
        exactly = grant(both, ignored="")
        exactly += b"x" * (LARGEST_BODY - len(exactly))
        protocol.data_received(ask(both, body=exactly))
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [413, 200, 200]
        wire.close()

    run(both, case)


def test_who_hangs_up_within_the_body_gets_no_token(both: Both) -> None:
    async def case() -> None:
        before = await families(both)
        protocol, wire = both.fast.connect()
        # Whole in itself, but less than was announced.
        protocol.data_received(ask(both, length=len(grant(both)) + 1))
        await both.fast.settle()
        wire.close()
        await both.fast.settle()
        assert wire.sent == b""
        assert await families(both) == before
        assert protocol not in both.fast.state.connections

    run(both, case)


def test_a_body_has_its_time_however_slowly_its_parts_come(both: Both) -> None:
    async def case() -> None:
        before = await families(both)
        protocol, wire = both.fast.connect()
        whole, body_s = ask(both), both.fast.door.patience.body_s
        began = both.loop.time()
        protocol.data_received(whole[:-2])
        protocol.check(began + body_s - 1)
        assert not wire.sent
        protocol.data_received(whole[-2:-1])
        protocol.check(began + body_s + 1)
        protocol.data_received(whole[-1:])
        await both.fast.settle()
        (reply,) = replies(wire)
        assert (reply.status, reply.header("connection")) == (408, "close")
        assert await families(both) == before
        wire.close()

    run(both, case)


def test_a_grant_whose_client_is_gone_is_finished_and_told_nobody(both: Both) -> None:
    async def case() -> None:
        before = await families(both)
        protocol, wire = both.fast.connect()
        protocol.data_received(ask(both))
        wire.close()
        await both.fast.settle()
        assert wire.sent == b""
        assert await families(both) == before + 1

    run(both, case)


def test_grants_in_flight_are_answered_when_the_server_stops(both: Both) -> None:
    async def case() -> None:
        protocol, wire = both.fast.connect()
        protocol.data_received(ask(both) + ask(both))
        protocol.shutdown()
        assert not wire.closing
        await both.fast.settle()
        protocol.data_received(ask(both))
        await both.fast.settle()
        found = [(each.status, each.header("connection")) for each in replies(wire)]
        assert found == [(200, None), (200, "close")]
        assert wire.ended
        wire.close()

    run(both, case)


def test_a_body_is_asked_for_once_the_head_is_good(both: Both) -> None:
    async def case() -> None:
        protocol, wire = both.fast.connect()
        whole = ask(both, "Expect: 100-continue")
        head, _, body = whole.partition(b"\r\n\r\n")
        protocol.data_received(head + b"\r\n\r\n")
        await both.fast.settle()
        assert bytes(wire.sent) == b"HTTP/1.1 100 Continue\r\n\r\n"
        protocol.data_received(body)
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [200]
        wire.close()
        protocol, wire = both.fast.connect()
        protocol.data_received(head.replace(FORM.encode(), b"text/plain") + b"\r\n\r\n")
        await both.fast.settle()
        (reply,) = replies(wire)
        assert (reply.status, reply.header("connection")) == (415, "close")
        wire.close()

    run(both, case)


def test_an_address_is_counted_before_its_body_is_here(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = RequestLimits(address=Quota("oauth_address", 1))

    async def case() -> None:
        protocol, wire = both.fast.connect()
        protocol.data_received(ask(both) + ask(both, length=10_000))
        await both.fast.settle()
        assert [each.status for each in replies(wire)] == [200, 429]
        assert replies(wire)[1].header("retry-after") == "60"
        wire.close()

    # What is frozen is frozen for the platform, not for a test.
    monkeypatch.setattr(type(both.fast.oauth), "limits", limits)
    run(both, case)


def test_a_desk_that_fails_says_so_and_the_connection_goes_on(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    async def case() -> None:
        protocol, wire = both.fast.connect()
        with monkeypatch.context() as planted:
            planted.setattr(token, "_tokens", fail)
            protocol.data_received(ask(both))
            await both.fast.settle()
        protocol.data_received(ask(both))
        await both.fast.settle()
        failed, good = replies(wire)
        assert (failed.status, good.status) == (500, 200)
        assert failed.header("content-type") == "application/problem+json"
        assert json.loads(failed.body)["trace_id"]
        wire.close()

    run(both, case)


def test_a_process_that_is_behind_leaves_its_desks_to_the_application(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = find_desks(both.fast.oauth, both.store.feed)
    assert find("POST", b"/oauth/token") is not None
    assert find("GET", b"/oauth/token") is None
    monkeypatch.setattr(both.store.feed, "fresh_until", 0.0)
    assert find("POST", b"/oauth/token") is None
