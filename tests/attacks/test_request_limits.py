"""T-RATE: what clients and people who sign in may ask is counted before anything is done for them.

Planted bugs that these tests were seen to fail on: an endpoint left out; buckets for each endpoint
by itself; the client counted after its secret is checked; a client counted for all addresses
together; the body read before the address is counted; setup without a limit; `/authorize` that
counts no handle, counts it once it was looked up, or counts it of questions alone and not of
answers; that counts requests without a handle, too; a page without `Retry-After`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from oauth_world import Server, authorization_server, on_page, redirected
from sallyport.oauth.asking import REQUEST_URI
from sallyport.oauth.limits import RequestLimits
from sallyport.vocab import ids
from sallyport.vocab.buckets import Quota, seconds_in_words
from sallyport.vocab.clock import MINUTE
from serving import PASSWORD, Platform

ADDRESS, CLIENT = 8, 3
ENDPOINTS = ("/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par")


@pytest.fixture
def limits() -> RequestLimits:
    return RequestLimits(Quota("oauth_address", ADDRESS), Quota("oauth_client", CLIENT))


@pytest.fixture
def limited(limits: RequestLimits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authorization_server(tmp_path_factory.mktemp("limited"), limits=limits) as server:
        yield server


def is_limited(answer: httpx.Response, whose: str) -> bool:
    """Whether an answer is the refusal of a limit; it then says all that it must."""
    if answer.status_code != 429:
        return False
    assert answer.json()["error"] == "temporarily_unavailable"
    assert whose in answer.json()["error_description"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["cache-control"] == "no-store"
    return True


def ask_from(server: Server, address: str, path: str, **form: str) -> httpx.Response:
    """A request from another address of this host."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=server.url, transport=transport, timeout=30) as client:
        return client.post(path, data=form)


def test_an_address_shares_one_quota_among_all_endpoints(limited: Server) -> None:
    answers = [
        limited.post(ENDPOINTS[n % len(ENDPOINTS)], {"grant_type": "nonsense"})
        for n in range(ADDRESS)
    ]
    assert {answer.status_code for answer in answers} <= {400, 401}
    for path in ENDPOINTS:
        assert is_limited(limited.post(path, {}), "one network address")
        assert is_limited(limited.post(path, {}, headers={"Content-Type": "x/y"}), "one network")
    # Others go on, and so does this one in its time.
    assert ask_from(limited, "127.0.0.9", ENDPOINTS[0]).status_code in (400, 401, 415)
    limited.clock.advance(MINUTE // ADDRESS)
    assert limited.post(ENDPOINTS[0], {}).status_code in (400, 401, 415)
    assert is_limited(limited.post(ENDPOINTS[0], {}), "one network address")
    # What is read by everybody is not among them.
    assert httpx.get(f"{limited.url}/.well-known/jwks.json").status_code == 200


def test_an_address_is_refused_before_its_body_is_here(limited: Server) -> None:
    for _ in range(ADDRESS):
        limited.post(ENDPOINTS[0], {})
    url = urlsplit(limited.url)
    assert url.hostname is not None
    assert url.port is not None
    with socket.create_connection((url.hostname, url.port), timeout=30) as line:
        line.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type="
        )
        assert b" 429 " in line.recv(65536).split(b"\r\n")[0]


def test_a_client_is_counted_before_its_secret_is_looked_at(limited: Server) -> None:
    world = limited.world
    wrong = [limited.token(grant_type="x", client_secret=f"wrong {n}") for n in range(CLIENT)]
    assert [answer.status_code for answer in wrong] == [401] * CLIENT
    assert is_limited(limited.token(grant_type="x", client_secret="wrong"), "one client")
    # Not even the right secret helps, by Basic, and at no other endpoint.
    basic = (world.client_id, world.secret)
    assert is_limited(
        httpx.post(f"{limited.url}/oauth/introspect", data={"token": "x"}, auth=basic), "one client"
    )


def test_nobody_spends_what_is_a_clients(limited: Server) -> None:
    """A client id is no secret: whoever sends it from elsewhere spends only their own."""
    for _ in range(CLIENT + 1):
        ask_from(limited, "127.0.0.9", ENDPOINTS[0], client_id=limited.world.client_id)
    assert limited.token(grant_type="nonsense").status_code == 400
    # Another client from the same address has its own, too.
    other = ask_from(limited, "127.0.0.9", ENDPOINTS[0], client_id=limited.world.site.id)
    assert other.status_code == 401


def test_invented_clients_fill_no_memory(limited: Server, limits: RequestLimits) -> None:
    for n in range(ADDRESS):
        ask_from(limited, "127.0.0.9", ENDPOINTS[0], client_id="x" * 1000 + str(n))
    assert len(limits.clients) == 0
    assert len(limits.addresses) == 1


def invented(server: Server) -> dict[str, str]:
    """A request by a handle that nobody was given, which looks like one."""
    handle = REQUEST_URI + ids.new_secret(ids.PUSHED_REQUEST)
    return {"client_id": server.world.client_id, "request_uri": handle}


def slow_down(answer: httpx.Response) -> None:
    """The page that tells a person of the limit, and what to do."""
    told = on_page(answer, 429)
    assert told["title"] == "Too many requests"
    assert f"{ADDRESS} requests in 60 seconds for one network address" in told["detail"]
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 60
    assert told["fix"] == f"Wait {seconds_in_words(wait)}, then load this page again."


def test_handles_of_pushed_requests_are_counted_before_they_are_looked_up(limited: Server) -> None:
    """A handle that was invented costs a write that changes nothing; this bounds how many."""
    pushed = limited.post(
        "/oauth/par", {**limited.request(), "client_secret": limited.world.secret}
    )
    mine = {**invented(limited), "request_uri": pushed.json()["request_uri"]}
    for n in range(ADDRESS - 1):
        ask = limited.ask if n % 2 else limited.answer
        assert "no longer good" in on_page(ask(invented(limited)))["title"]
    for asked in (invented(limited), mine):
        slow_down(limited.ask(asked))
        slow_down(limited.answer(asked))
    # It is the quota of all endpoints, and what names no handle takes none of it.
    assert is_limited(limited.post(ENDPOINTS[0], {}), "one network address")
    assert limited.ask(limited.request()).status_code == 200
    assert redirected(limited.answer(limited.request()))["code"]
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(transport=elsewhere) as other:
        told = other.get(f"{limited.url}/authorize", params=invented(limited))
    assert "no longer good" in on_page(told)["title"]
    # Who waits as they were told finds their request as it was.
    limited.clock.advance(MINUTE // ADDRESS)
    assert limited.ask(mine).status_code == 303


def test_setup_and_sign_in_are_counted_by_address(unclaimed: Platform) -> None:
    body = {"token": "x", "email": "a@a.test", "name": "A", "password": PASSWORD}
    with unclaimed.client() as stranger:
        codes = [stranger.post("/setup", json=body).status_code for _ in range(62)]
        assert set(codes[:60]) == {403}
        refused = stranger.post("/setup", json=body)
    assert refused.status_code == 429
    assert refused.json()["reason"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1
