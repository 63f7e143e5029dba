"""A stale read never becomes a fact."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.samples import Sample

from sallyport.gateway.facts import ANY, Facts, Lacking, Loaded, Source
from sallyport.observe.metrics import REVOCATION_LAG
from sallyport.store.changes import Change, Feed, Kind
from sallyport.store.engine import Store
from sallyport.vocab.clock import ManualClock


class FeedOnly:
    """What `Facts` uses of a store besides handing it to sources."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.clock = ManualClock()


def make(bound: int = 100) -> tuple[Facts, Feed]:
    store: Any = FeedOnly()
    return Facts(store, bound), store.feed


def counting(tags: tuple[Change, ...]) -> tuple[Source[str, int], list[str]]:
    asked: list[str] = []

    async def load(_store: Store, key: str) -> Loaded[int]:
        asked.append(key)
        return Loaded(len(asked), tags)

    return Source("test", load), asked


async def fetch(facts: Facts, source: Source[str, int], key: str = "a") -> int:
    try:
        return facts.get(source, key)
    except Lacking as lacking:
        await facts.load(lacking)
    return facts.get(source, key)


def test_a_fact_is_loaded_once_and_dropped_by_its_change() -> None:
    async def scenario() -> None:
        facts, feed = make()
        source, asked = counting((Change(Kind.GRANT, "g"),))
        assert [await fetch(facts, source), await fetch(facts, source)] == [1, 1]
        feed.publish([Change(Kind.GRANT, "other")])
        assert await fetch(facts, source) == 1
        feed.publish([Change(Kind.GRANT, "g")])
        with pytest.raises(Lacking):
            facts.get(source, "a")
        assert await fetch(facts, source) == 2
        assert asked == ["a", "a"]

    asyncio.run(scenario())


def test_any_key_of_a_kind_drops_a_fact_that_depends_on_all() -> None:
    async def scenario() -> None:
        facts, feed = make()
        source, _ = counting((Change(Kind.SITE, ANY),))
        assert await fetch(facts, source) == 1
        feed.publish([Change(Kind.SITE, "whichever")])
        assert await fetch(facts, source) == 2

    asyncio.run(scenario())


def test_a_load_that_a_change_overtook_is_done_again() -> None:
    async def scenario() -> None:
        facts, feed = make()
        reads: list[str] = []
        truth = "on"
        reading = asyncio.Event()
        go_on = asyncio.Event()

        async def load(_store: Store, _key: str) -> Loaded[str]:
            seen = truth
            reads.append(seen)
            reading.set()
            await go_on.wait()
            return Loaded(seen, (Change(Kind.SWITCH, "s"),))

        source = Source("switch", load)
        loading = asyncio.create_task(facts.load(Lacking(source, "a")))
        await reading.wait()
        truth = "off"
        feed.publish([Change(Kind.SWITCH, "s")])
        go_on.set()
        await loading
        assert reads == ["on", "off"]
        assert facts.get(source, "a") == "off"

    asyncio.run(scenario())


def test_facts_are_bounded_and_leave_nothing_behind() -> None:
    async def scenario() -> None:
        facts, feed = make(bound=10)

        async def load(_store: Store, key: str) -> Loaded[str]:
            return Loaded(key, (Change(Kind.GRANT, key),))

        source = Source("test", load)
        for n in range(1000):
            await facts.load(Lacking(source, str(n)))
        assert len(facts) == 10
        assert len(facts._by_tag) == 10
        for n in range(1000):
            feed.publish([Change(Kind.GRANT, str(n))])
        assert len(facts) == 0
        assert facts._by_tag == {}

    asyncio.run(scenario())


def test_the_lag_of_what_is_dropped_is_measured() -> None:
    """From the change's own time, in whichever process it was committed; once for each fact."""

    def measured() -> tuple[float, float]:
        samples = {each.name: each.value for each in _lag_samples()}
        name = "sallyport_revocation_lag_seconds"
        return samples.get(f"{name}_count", 0.0), samples.get(f"{name}_sum", 0.0)

    async def scenario() -> None:
        facts, feed = make()
        clock = facts._store.clock
        assert isinstance(clock, ManualClock)
        source, _ = counting((Change(Kind.KEYS, "g"),))
        await fetch(facts, source)
        count, total = measured()
        committed = Change(Kind.KEYS, "g", clock.now())
        clock.advance(40)
        feed.publish([Change(Kind.KEYS, "other", clock.now())])
        assert measured() == (count, total), "nothing was dropped"
        feed.publish([committed])
        assert measured() == (count + 1, pytest.approx(total + 0.04))
        feed.publish([committed])
        assert measured()[0] == count + 1, "told again, and nothing was held"

    asyncio.run(scenario())


def _lag_samples() -> list[Sample]:
    collected = [each for metric in REVOCATION_LAG.collect() for each in metric.samples]
    return [each for each in collected if each.labels.get("kind") == Kind.KEYS.value]
