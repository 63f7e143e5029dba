"""What every verb may rely on: durability, isolation of failures, order of news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from pausing import Pause
from sallyport.model.directory import PLATFORM
from sallyport.store import schema
from sallyport.store.changes import Change, Kind
from sallyport.store.engine import Reader, Store, Tx
from sallyport.vocab.events import Event

WithStore = Callable[..., Any]


async def declare(tx: Tx, key: str, *, fail: bool = False) -> str:
    await tx.run(insert(schema.product).values(key=key, name=key))
    tx.changed(Kind.SITE, key)
    tx.audit(Event.PRODUCT_DECLARED, PLATFORM, subject=key)
    if fail:
        raise ValueError(key)
    return key


async def count(reader: Reader, table: Any) -> int:
    return int(await reader.scalar(select(func.count()).select_from(table)))


def test_a_verb_writes_its_rows_its_changes_and_its_audit_together(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        assert await store.write(declare, "crm") == "crm"
        for table in (schema.product, schema.change, schema.audit):
            assert await store.read(count, table) == 1

    with_store(scenario)


def test_a_verb_that_fails_leaves_nothing_and_spares_its_neighbours(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        jobs = [store.write(declare, f"p{n}", fail=n % 2 == 1) for n in range(20)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [r for r in results if isinstance(r, str)] == [f"p{n}" for n in range(0, 20, 2)]
        assert sum(isinstance(r, ValueError) for r in results) == 10
        for table in (schema.product, schema.change, schema.audit):
            assert await store.read(count, table) == 10

    with_store(scenario)


def test_followers_are_told_before_the_writer_returns_and_never_of_a_failure(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        heard: list[Change] = []
        store.feed.follow(heard.append)
        await store.write(declare, "crm")
        assert heard == [Change(Kind.SITE, "crm")]
        with pytest.raises(ValueError, match="erp"):
            await store.write(declare, "erp", fail=True)
        assert heard == [Change(Kind.SITE, "crm")]

    with_store(scenario)


def test_a_follower_hears_even_when_the_caller_has_gone_away(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        heard = asyncio.Event()
        store.feed.follow(lambda _change: heard.set())
        pause = Pause()

        async def slow(tx: Tx) -> None:
            await pause.here(tx)
            await declare(tx, "crm")

        writing = asyncio.create_task(store.write(slow))
        await pause.reached()
        writing.cancel()
        pause.over()
        await heard.wait()
        assert await store.read(count, schema.product) == 1

    with_store(scenario)


def test_a_query_sees_one_moment(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        await store.write(declare, "crm")
        pause = Pause()

        async def twice(reader: Reader) -> tuple[int, int]:
            first = await count(reader, schema.product)
            await pause.here(reader)
            return first, await count(reader, schema.product)

        reading = asyncio.create_task(store.read(twice))
        await pause.reached()
        await store.write(declare, "erp")
        pause.over()
        assert await reading == (1, 1)
        assert await store.read(count, schema.product) == 2

    with_store(scenario)


def test_a_verb_that_awaits_anything_else_is_refused_on_sqlite(
    with_store: WithStore, store_url: str
) -> None:
    async def scenario(store: Store) -> None:
        async def wanders_off(tx: Tx) -> None:
            await declare(tx, "crm")
            await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match="nothing else"):
            await store.write(wanders_off)
        assert await store.read(count, schema.product) == 0

    if store_url.startswith("sqlite"):
        with_store(scenario)
