"""Usage is summed by the hour and read by hour, route, integration, site and scope.

Planted bugs that these tests were seen to fail on: a later count in place of the sum; scopes left
out of what tells rows apart; the end of a span taken in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sallyport.store.cleaning import clean
from sallyport.store.engine import Store
from sallyport.store.usage import Usage, UsageKey, add_usage, usage_by
from sallyport.vocab.clock import DAY, HOUR, ManualClock
from sallyport.vocab.ids import new_id

WithStore = Callable[..., Any]

START = 1_800_000_000_000 // HOUR * HOUR
SITE, APP, ENVIRONMENT, CLIENT = (new_id() for _ in range(4))
KEY = UsageKey(START, SITE, APP, ENVIRONMENT, CLIENT, "r", ("a:custom", "b:custom"))
ONE = Usage(1, 0, 0, 250, 10, 20)
SPAN = {"since": START, "until": START + 24 * HOUR}


async def by(store: Store, what: Any, **which: Any) -> dict[Any, int]:
    lines = await store.read(usage_by, what, **{**SPAN, **which})
    return {line.key: line.usage.calls for line in lines}


def test_counts_add_up(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        for more in (ONE, Usage(3, 1, 2, 50, 5, 7)):
            await store.write(add_usage, [(KEY, more)])
        (line,) = await store.read(usage_by, "route", **SPAN)
        assert (line.key, line.usage) == ("r", Usage(4, 1, 2, 300, 15, 27))
        await asyncio.gather(*(store.write(add_usage, [(KEY, ONE)]) for _ in range(10)))
        assert await by(store, "route") == {"r": 14}
        await store.write(add_usage, [])

    with_store(scenario)


def test_what_is_told_apart(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        other_site, other_client = new_id(), new_id()
        keys = [
            KEY,
            replace(KEY, hour=START + HOUR),
            replace(KEY, site_id=other_site),
            replace(KEY, client_id=other_client),
            replace(KEY, client_id=None),
            replace(KEY, route_key="other", scopes=("b:custom",)),
            replace(KEY, scopes=("c:custom",)),
            replace(KEY, route_key=None, scopes=()),
            replace(KEY, route_key="", scopes=()),
        ]
        await store.write(add_usage, [(key, ONE) for key in keys])
        assert await by(store, "hour") == {START: 8, START + HOUR: 1}
        assert await by(store, "site") == {SITE: 8, other_site: 1}
        assert await by(store, "integration") == {CLIENT: 7, other_client: 1, None: 1}
        assert await by(store, "route") == {"r": 6, "other": 1, None: 2}
        assert await by(store, "scope") == {
            "a:custom": 5,
            "b:custom": 6,
            "c:custom": 1,
            None: 2,
        }
        assert await by(store, "route", site_id=other_site) == {"r": 1}
        assert await by(store, "hour", client_id=other_client) == {START: 1}
        assert await by(store, "hour", environment_id=new_id()) == {}
        assert await by(store, "hour", app_id=APP, until=START + HOUR) == {START: 8}
        assert await by(store, "hour", since=START + 1) == {START + HOUR: 1}
        assert await by(store, "environment", route_key="other") == {ENVIRONMENT: 1}

    with_store(scenario)


def test_hours_are_in_order_and_all_else_by_calls(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        for n, calls in enumerate((2, 9, 5)):
            key = replace(KEY, hour=START + n * HOUR, route_key=f"r{n}")
            await store.write(add_usage, [(key, Usage(calls))])
        assert list(await by(store, "hour")) == [START + n * HOUR for n in range(3)]
        assert list(await by(store, "route")) == ["r1", "r2", "r0"]
        next_day = replace(KEY, hour=START - START % DAY + DAY)
        await store.write(add_usage, [(next_day, Usage(7))])
        days = await by(store, "day", until=START + 2 * DAY)
        assert days == {START - START % DAY: 16, next_day.hour: 7}
        assert list(days) == sorted(days)

    with_store(scenario)


def test_old_hours_are_cleaned(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        keys = [replace(KEY, hour=START + n * HOUR) for n in range(5)]
        await store.write(add_usage, [(key, ONE) for key in keys])
        before = START + 3 * HOUR
        gone = [await store.write(clean, "usage", audit_before=before, batch=2) for _ in range(3)]
        assert gone == [2, 1, 0]
        assert list(await by(store, "hour")) == [key.hour for key in keys[3:]]

    with_store(scenario)
