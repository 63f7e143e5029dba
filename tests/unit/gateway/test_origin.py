"""T-HDR: both ways of a call and every page take the client's address from the same place.

Planted bugs that these tests were seen to fail on: the fast path counting by the connection's
address; the ASGI application told the connection's address; an origin that a connection keeps from
its first request; a forwarded host that does not reach the call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from protocol_world import Both, Side, read_replies, two_servers
from sallyport.vocab.buckets import Quota
from sallyport.vocab.forwarded import Proxies

WIRE, ONE, OTHER = "192.0.2.1", "198.51.100.7", "198.51.100.8"


@pytest.fixture(params=[WIRE, "10.0.0.1"], ids=["trusted", "not trusted"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    proxies = Proxies([ip_network(request.param)])
    folder = tmp_path_factory.mktemp("origin")
    with two_servers(folder, proxies=proxies, refused=Quota("refused", 2)) as made:
        yield made


def asked(side: Side, *heads: str) -> list[tuple[int, bytes]]:
    """The replies to requests without a body, all on one connection."""

    async def case() -> list[tuple[int, bytes]]:
        protocol, wire = side.connect()
        for head in heads:
            protocol.data_received(head.encode())
            await side.settle()
        replies = read_replies(bytes(wire.sent), iter(()))
        wire.close()
        await side.settle()
        return [(reply.status, reply.body) for reply in replies]

    return side.loop.run_until_complete(case())


def head(path: str, *fields: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: own.test", *fields, "", ""))


def of(address: str, path: str = "/svc/nothing") -> str:
    return head(path, f"X-Forwarded-For: 203.0.113.66, {address}")


@pytest.mark.parametrize("way", ["fast", "slow"])
def test_refused_calls_count_by_the_clients_address(both: Both, way: str) -> None:
    side: Side = getattr(both, way)
    trusted = side.door.proxies.trusts(WIRE)
    # Pipelined or one after another, each request has an origin of its own.
    replies = asked(side, of(ONE), of(ONE) + of(OTHER), of(ONE), of(OTHER))
    statuses = [status for status, _ in replies]
    assert statuses == ([404, 404, 404, 429, 404] if trusted else [404, 404, 429, 429, 429])


def test_everything_else_is_told_the_same(both: Both) -> None:
    for side in (both.fast, both.slow):
        told = head(
            "/origin",
            f"X-Forwarded-For: {ONE}",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: site.test",
        )
        upgrade = told.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        replies = asked(side, told, head("/origin"), upgrade)
        seen = [json.loads(body) for _, body in replies]
        believed, plain = [ONE, "https", "site.test"], [WIRE, "http", "own.test"]
        trusted = side.door.proxies.trusts(WIRE)
        assert seen == ([believed, plain, believed] if trusted else [plain] * 3)


@pytest.mark.parametrize("way", ["fast", "slow"])
def test_a_forwarded_host_names_the_site_of_a_call(both: Both, way: str) -> None:
    side: Side = getattr(both, way)
    history = both.history
    token = history.tokens[0]
    host = history.gateway._hosts[history.site_of[token.grant_id]]
    target = f"/gateway/api/svc/jira/apps/{both.world.app.id}_{token.environment_id}/nothing"
    call = head(target, f"Authorization: Bearer {token.raw}", f"X-Forwarded-Host: {host}")
    [(status, body)] = asked(side, call)
    assert status == 404
    known = b"site_unknown" not in body
    assert known == side.door.proxies.trusts(WIRE), body
