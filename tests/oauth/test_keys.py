"""Signing keys rotate with overlap, and a key that others may know goes at once.

Planted bugs that these tests were seen to fail on: the new key signing before its time; the old key
gone from the key set as soon as the new one is made; a retired key's tokens still taken from the
cache; a second rotation let in while the first one waits.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from joserfc import jws

from oauth_world import Server, server
from sallyport.model.directory import Actor
from sallyport.store.keys import live_key_times, retire_signing_key
from sallyport.tokens.access import TokenCache
from sallyport.tokens.keys import rotate
from sallyport.tokens.policy import TokenPolicy
from sallyport.vocab.clock import DAY, SECOND
from sallyport.vocab.errors import Reason, Refused

__all__ = ["server"]

POLICY = TokenPolicy()
OPERATOR = Actor(account_id=None, name="an operator")


def kid_of(token: str) -> str:
    kid: str = jws.extract_compact(token.encode()).headers()["kid"]
    return kid


def published(server: Server) -> list[str]:
    keys = httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]
    return [each["kid"] for each in keys]


def turn(server: Server, *, at_once: bool = False) -> str:
    store = server.world.store
    made = server.act(rotate(store, POLICY, OPERATOR, at_once=at_once))
    server.act(server.keys.reload(store))
    return made.kid


def wait(server: Server, milliseconds: int) -> None:
    """Time passes, and upkeep does its round."""
    server.clock.advance(milliseconds)
    server.act(server.keys.reload(server.world.store))


def test_a_key_is_published_before_it_signs_and_the_one_before_outlives_its_tokens(
    server: Server,
) -> None:
    (old,) = published(server)
    new = turn(server)
    assert published(server) == [old, new]
    assert kid_of(server.tokens()["access_token"]) == old
    wait(server, POLICY.key_lead - SECOND)
    last = server.tokens()["access_token"]
    assert kid_of(last) == old
    wait(server, SECOND)
    assert kid_of(server.tokens()["access_token"]) == new
    wait(server, POLICY.access_lifetime - 2 * SECOND)
    assert server.resources(last).status_code == 200
    wait(server, POLICY.key_slack + 2 * SECOND)
    assert published(server) == [new]


def test_two_rotations_at_once_make_one_key(server: Server) -> None:
    before = published(server)
    turn(server)
    for _ in range(2):
        with pytest.raises(Refused) as told:
            turn(server)
        assert told.value.reason is Reason.CONFLICT
    assert len(published(server)) == len(before) + 1
    wait(server, DAY)


def test_a_retired_keys_tokens_are_refused_at_once(server: Server) -> None:
    token = server.tokens()["access_token"]
    old, store, now = kid_of(token), server.world.store, server.clock.now()
    cache = TokenCache()
    assert cache.verify(server.keys.ring, server.url, token, now)
    with pytest.raises(Refused) as told:
        server.act(store.write(retire_signing_key, OPERATOR, old))
    assert told.value.reason is Reason.CONFLICT

    new = turn(server, at_once=True)
    assert server.resources(token).status_code == 200
    server.act(store.write(retire_signing_key, OPERATOR, old))
    server.act(server.keys.reload(store))
    assert published(server) == [new]
    assert server.resources(token).status_code == 401
    with pytest.raises(Refused):
        cache.verify(server.keys.ring, server.url, token, now)
    assert server.resources(server.tokens()["access_token"]).status_code == 200
    with pytest.raises(Refused) as told:
        server.act(store.write(retire_signing_key, OPERATOR, old))
    assert told.value.reason is Reason.NOT_FOUND


def test_rotation_under_load_loses_no_valid_call(server: Server) -> None:
    stop = threading.Event()

    def use() -> list[int]:
        statuses = []
        while not stop.is_set():
            tokens = server.tokens()
            statuses.append(server.resources(tokens["access_token"]).status_code)
            again = server.refresh(tokens["refresh_token"])
            statuses.append(again.status_code)
            statuses.append(server.resources(again.json()["access_token"]).status_code)
            statuses.append(server.resources(tokens["access_token"]).status_code)
        return statuses

    with ThreadPoolExecutor(4) as threads:
        using = [threads.submit(use) for _ in range(4)]
        try:
            kids = {turn(server, at_once=True) for _ in range(12)}
        finally:
            stop.set()
        statuses = [status for each in using for status in each.result(60)]
    assert len(kids) == 12
    assert len(statuses) >= 16
    assert set(statuses) == {200}


def test_when_a_rotation_is_due() -> None:
    for days, age, due in (
        (90, 90 * DAY - SECOND, False),
        (90, 90 * DAY, True),
        (0, 9_999 * DAY, False),
        (90, -5 * DAY, False),
    ):
        assert POLICY.is_rotation_due(1_000 * DAY, days, 1_000 * DAY + age) is due


def test_keys_are_told_without_their_private_parts(server: Server) -> None:
    times = server.act(server.world.store.read(live_key_times))
    assert [each.kid for each in times] == published(server)
    for each in httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]:
        assert "d" not in each
