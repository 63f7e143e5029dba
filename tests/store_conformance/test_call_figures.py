"""Latency by nearest rank and refusals by reason, of the calls that are asked about and no others.

Planted bugs that these tests were seen to fail on: the end of a span taken in; refused calls among
the latencies; ranks over all hours in place of each; the site left out of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from test_records import decision

from sallyport.model.decision import DecisionRecord
from sallyport.store.call_figures import (
    CallsOf,
    Latency,
    Refusals,
    count_calls,
    latency_by,
    refusals_by_reason,
)
from sallyport.store.engine import Store
from sallyport.store.records import add_decisions
from sallyport.vocab.clock import DAY, HOUR
from sallyport.vocab.ids import new_id

WithStore = Callable[..., Any]

START = 1_800_000_000_000 // DAY * DAY
SITE, ENVIRONMENT, CLIENT = (new_id() for _ in range(3))
ALL = CallsOf(SITE, START, START + DAY)


def call(at: int, took: int, **more: Any) -> DecisionRecord:
    return decision(
        START + at, **{"site_id": SITE, "duration_us": took, "environment_id": ENVIRONMENT, **more}
    )


def refused(at: int, gate: str, reason: str, **more: Any) -> DecisionRecord:
    return call(at, 1, gate=gate, reason=reason, status=403, **more)


def test_percentiles_are_of_each_hour(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        # A hundred calls of 1 to 100 us, not in order, and one quick call an hour later.
        calls = [call(n, (n * 37) % 101) for n in range(1, 101)]
        calls += [call(HOUR, 5), refused(1, "scopes", "scope_missing")]
        calls += [call(1, 9_000, site_id=new_id()), call(DAY, 9_000), call(-1, 9_000)]
        await store.write(add_decisions, calls)
        assert await store.read(latency_by, "hour", ALL) == (
            Latency(START, 100, 50, 95, 99),
            Latency(START + HOUR, 1, 5, 5, 5),
        )
        assert await store.read(latency_by, "day", ALL) == (Latency(START, 101, 50, 95, 99),)
        assert await store.read(latency_by, "all", ALL) == (Latency(0, 101, 50, 95, 99),)
        assert await store.read(latency_by, "all", replace(ALL, client_id=CLIENT)) == ()

    with_store(scenario)


def test_refusals_are_told_apart_and_the_most_come_first(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        grant = new_id()
        await store.write(
            add_decisions,
            [
                refused(1, "token", "token_expired", client_id=CLIENT),
                refused(2, "scopes", "scope_missing", route_key="r", grant_id=grant),
                refused(3, "scopes", "scope_missing", environment_id=new_id()),
                refused(4, "scopes", "product_scope_missing", account_id=grant),
                call(5, 10),
                refused(6, "scopes", "scope_missing", site_id=new_id()),
            ],
        )
        assert await store.read(refusals_by_reason, ALL) == (
            Refusals("scopes", "scope_missing", 2),
            Refusals("scopes", "product_scope_missing", 1),
            Refusals("token", "token_expired", 1),
        )
        narrowed = replace(ALL, environment_id=ENVIRONMENT, route_key="r")
        assert await store.read(refusals_by_reason, narrowed) == (
            Refusals("scopes", "scope_missing", 1),
        )
        assert await store.read(count_calls, ALL) == 5
        assert await store.read(count_calls, replace(ALL, client_id=CLIENT)) == 1
        assert await store.read(count_calls, replace(ALL, grant_id=grant)) == 1
        assert await store.read(count_calls, replace(ALL, account_id=grant)) == 1

    with_store(scenario)
