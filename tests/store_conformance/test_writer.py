"""What every verb may rely on: durability, isolation of failures, order of news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select

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
        entered = asyncio.Event()
        leave = asyncio.Event()

        async def slow(tx: Tx) -> None:
            entered.set()
            await leave.wait()
            await declare(tx, "crm")

        writing = asyncio.create_task(store.write(slow))
        await entered.wait()
        writing.cancel()
        leave.set()
        await heard.wait()
        assert await store.read(count, schema.product) == 1

    with_store(scenario)


def test_a_query_sees_one_moment(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        await store.write(declare, "crm")
        counted = asyncio.Event()
        go_on = asyncio.Event()

        async def twice(reader: Reader) -> tuple[int, int]:
            first = await count(reader, schema.product)
            counted.set()
            await go_on.wait()
            return first, await count(reader, schema.product)

        reading = asyncio.create_task(store.read(twice))
        await counted.wait()
        await store.write(declare, "erp")
        go_on.set()
        assert await reading == (1, 1)
        assert await store.read(count, schema.product) == 2

    with_store(scenario)
