"""Decisions and log lines come back as they went in, and tables stay bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sallyport.model.decision import DecisionRecord, LogLine
from sallyport.store import records
from sallyport.store.batch import Batch
from sallyport.store.engine import Store
from sallyport.vocab.clock import DAY, ManualClock
from sallyport.vocab.ids import new_id

WithStore = Callable[..., Any]
SITE = new_id()
EVERY, REFUSED = records.DecisionQuery(), records.DecisionQuery(refused_only=True)


def decision(at: int, **changes: Any) -> DecisionRecord:
    record = DecisionRecord(
        id=new_id(),
        trace_id="0" * 32,
        at=at,
        method="GET",
        path="/svc/jira",
        status=200,
        gate=None,
        reason=None,
        problem=None,
        duration_us=1500,
        site_id=SITE,
        app_id=None,
        environment_id=None,
        installation_id=None,
        route_key=None,
        client_id=None,
        account_id=None,
        grant_id=None,
        invocation_id=None,
    )
    return record._replace(**changes)


def line(at: int, text: str, **changes: Any) -> LogLine:
    made = LogLine(
        at=at,
        level="INFO",
        text=text,
        environment_id="env",
        installation_id="inst",
        site_id=SITE,
        invocation_id="call-1",
        trace_id="1" * 32,
        function_key="f",
    )
    return replace(made, **changes)


def test_a_decision_comes_back_whole(with_store: WithStore, clock: ManualClock) -> None:
    refused = decision(
        clock.now(), gate="scopes", reason="scope_missing", status=403, problem={"fix": "ask"}
    )

    async def scenario(store: Store) -> None:
        await store.write(records.add_decisions, [refused, decision(clock.now() - 1)])
        assert await store.read(records.decision_by_id, refused.id) == refused
        assert await store.read(records.decision_by_id, new_id()) is None
        every = await store.read(records.decisions_of_site, SITE, EVERY, 10)
        assert every[0] == refused
        assert len(every) == 2
        only = await store.read(records.decisions_of_site, SITE, REFUSED, 10)
        assert only == [refused]
        assert await store.read(records.decisions_of_site, new_id(), EVERY, 10) == []

    with_store(scenario)


def test_log_lines_are_the_newest_that_match_oldest_first(
    with_store: WithStore, clock: ManualClock
) -> None:
    now = clock.now()
    lines = [line(now + n, f"line {n}") for n in range(5)]
    other = line(now + 9, "other", invocation_id="call-2", trace_id="2" * 32)

    async def scenario(store: Store) -> None:
        await store.write(records.add_log_lines, [*lines, other])

        async def ask(**which: Any) -> list[str]:
            query = {"invocation": None, "trace": None, "since": None, "limit": 100, **which}
            return [found.text for found in await store.read(records.log_lines, "env", **query)]

        assert await ask(limit=2) == ["line 4", "other"]
        assert await ask(invocation="call-2") == ["other"]
        assert await ask(trace="1" * 32, since=now + 3) == ["line 3", "line 4"]
        assert (
            await store.read(
                records.log_lines, "elsewhere", invocation=None, trace=None, since=None, limit=9
            )
            == []
        )

    with_store(scenario)


def test_purging_removes_the_expired_and_the_surplus_in_batches(
    with_store: WithStore, clock: ManualClock
) -> None:
    now = clock.now()

    async def scenario(store: Store) -> None:
        old = [decision(now - 40 * DAY) for _ in range(5)]
        fresh = [decision(now - n) for n in range(10)]
        await store.write(records.add_decisions, old + fresh)
        purge = {"before": now - 30 * DAY, "keep": 8, "batch": 3}
        rounds = 0
        while await store.write(records.purge_records, **purge):
            rounds += 1
        assert rounds > 1
        left = await store.read(records.decisions_of_site, SITE, EVERY, 99)
        assert left == fresh[:8]

    with_store(scenario)


def test_a_batch_writes_in_order_and_drops_beyond_its_bound(
    with_store: WithStore, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        batch: Batch[LogLine] = Batch(store, records.add_log_lines, bound=700)
        for n in range(710):
            batch.add(line(clock.now(), str(n)))
        assert batch.dropped == 10
        batch.start()
        await batch.close()
        kept = await store.read(
            records.log_lines, "env", invocation=None, trace=None, since=None, limit=1000
        )
        assert [found.text for found in kept] == [str(n) for n in range(700)]

    with_store(scenario)
