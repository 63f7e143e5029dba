"""The items of the key-value store, on each database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from registry_world import WithStore, World, deploy, install, rows, seed
from sqlalchemy import func, select

from sallyport.store import appdata, appindex, installations, schema
from sallyport.store.appdata import (
    PLAIN,
    SECRETS,
    Check,
    ConditionFailed,
    IndexEntry,
    InstallationGone,
    KeyExists,
    KvItem,
    Operation,
    Put,
    QuotaExceeded,
    Remove,
    Schema,
    VersionMoved,
    Written,
)
from sallyport.store.appindex import KvPage, Span
from sallyport.store.engine import Reader, Store
from sallyport.store.installed import installation_by_id
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.ids import new_id

PLENTY = 1_000_000
INDEX = "1" * 64
PART = "2" * 64
SPACE = "entity:note"
EVERYTHING = Span()


async def two_installations(store: Store) -> tuple[str, str]:
    world = await seed(store)
    await deploy(world)
    return await install(world), await install(world, "confluence")


async def write(store: Store, here: str, *operations: Operation, **more: Any) -> list[Written]:
    more.setdefault("most_bytes", PLENTY)
    return await store.write(appdata.write_items, here, operations, **more)


async def put(store: Store, here: str, key: str, value: str = "0", **more: Any) -> None:
    await write(store, here, Put(more.pop("space", PLAIN), key, value, **more))


async def got(store: Store, here: str, key: str, space: str = PLAIN) -> KvItem | None:
    return await store.read(appdata.item_by_key, here, space, key)


async def page(store: Store, here: str, span: Span = EVERYTHING, **asked: Any) -> KvPage:
    return await store.read(
        appindex.items_by_range,
        here,
        asked.get("space", PLAIN),
        span=span,
        after=asked.get("after"),
        descending=asked.get("descending", False),
        limit=asked.get("limit", 100),
        most_bytes=asked.get("most_bytes", PLENTY),
    )


async def counted(reader: Reader, here: str) -> tuple[int, int]:
    """What the rows say, beside what the counter says."""
    c = schema.kv_item.c
    row = await reader.first(
        select(func.coalesce(func.sum(c.size), 0), func.count()).where(c.installation_id == here)
    )
    assert row is not None
    assert await appdata.usage_of(reader, here) == (int(row[0]), int(row[1]))
    return int(row[0]), int(row[1])


def test_set_get_replace_delete(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        assert await got(store, here, "a") is None
        await put(store, here, "a", '{"n":1}')
        created = clock.now()
        clock.advance(5)
        (written,) = await write(store, here, Put(PLAIN, "a", '"é\\u0000"'))
        assert written.before == KvItem("a", '{"n":1}', created, created)
        assert written.after == await got(store, here, "a")
        assert written.after == KvItem("a", '"é\\u0000"', created, created + 5)
        await write(store, here, Remove(PLAIN, "a"))
        assert await got(store, here, "a") is None
        await write(store, here, Remove(PLAIN, "a"))
        assert await store.read(counted, here) == (0, 0)

    with_store(scenario)


def test_installations_and_spaces_do_not_see_each_other(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, there = await two_installations(store)
        await put(store, here, "a", "1")
        await put(store, there, "a", "2")
        await put(store, here, "a", '"hush"', space=SECRETS)
        await write(store, there, Remove(PLAIN, "a"))
        item = await got(store, here, "a")
        assert item is not None
        assert item.value == "1"
        assert (await page(store, there)).items == ()
        assert [each.key for each in (await page(store, here)).items] == ["a"]
        hidden = await got(store, here, "a", SECRETS)
        assert hidden is not None
        assert hidden.value == '"hush"'

    with_store(scenario)


def test_a_secret_lies_sealed_and_opens_for_its_installation_and_key_alone(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        here, there = await two_installations(store)
        await put(store, here, "token", '"hush"', space=SECRETS)

        async def stored(reader: Reader) -> Any:
            return await reader.first(select(schema.kv_item))

        row = await store.read(stored)
        assert row.value is None
        assert b"hush" not in row.sealed

        async def moved(tx: Any) -> None:
            await tx.run(
                schema.kv_item.insert().values(**{**row._mapping, "installation_id": there})
            )

        await store.write(moved)
        with pytest.raises(Exception, match="does not open"):
            await got(store, there, "token", SECRETS)

    with_store(scenario)


def test_an_expired_item_is_nowhere_and_goes_with_its_bytes(
    with_store: WithStore, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        here, there = await two_installations(store)
        for number in range(5):
            await put(store, here, f"k{number}", "1", expires_at=clock.now() + 100)
        await put(store, there, "k", "1", expires_at=clock.now() + 100)
        await put(store, here, "stays", "1", expires_at=clock.now() + 101)
        clock.advance(99)
        assert await got(store, here, "k0") is not None
        clock.advance(1)
        assert await got(store, here, "k0") is None
        assert [each.key for each in (await page(store, here)).items] == ["stays"]
        (written,) = await write(store, here, Put(PLAIN, "k1", "2", if_absent=True))
        assert written.before is None
        assert written.after is not None
        assert written.after.created_at == clock.now()
        gone = [await store.write(appdata.purge_expired, batch=2) for _ in range(4)]
        assert gone == [2, 2, 1, 0]
        assert (await store.read(counted, here))[1] == 2
        assert await store.read(counted, there) == (0, 0)

    with_store(scenario)


def test_keys_come_in_the_order_of_code_points(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        keys = ["a:1", "a:10", "a:2", "a:B", "a:a", "a b", "A:1", "b", "a#", "a-", "a", "a:\u3000z"]
        for key in keys:
            await put(store, here, key)
        everything = await page(store, here)
        assert [item.key for item in everything.items] == sorted(keys)
        back = await page(store, here, descending=True)
        assert [item.key for item in back.items] == sorted(keys, reverse=True)
        prefix = Span("a:", "a;")
        expected = sorted(key for key in keys if key.startswith("a:"))
        walked: list[str] = []
        after: str | None = None
        for _ in range(10):
            part = await page(store, here, prefix, limit=2, after=after)
            walked += [item.key for item in part.items]
            if not part.more:
                break
            after = walked[-1]
        assert walked == expected

    with_store(scenario)


def test_a_page_of_large_values_is_shorter_and_says_that_more_follow(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        for number in range(5):
            await put(store, here, f"k{number}", '"' + "x" * 100 + '"')
        short = await page(store, here, most_bytes=250)
        assert [item.key for item in short.items] == ["k0", "k1"]
        assert short.more
        single = await page(store, here, most_bytes=10, after="k3")
        assert [item.key for item in single.items] == ["k4"]
        assert not single.more

    with_store(scenario)


def test_of_many_that_want_a_key_to_be_new_one_gets_it(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        outcomes = await asyncio.gather(
            *(write(store, here, Put(PLAIN, "a", str(n), if_absent=True)) for n in range(20)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, list) for each in outcomes) == 1
        assert all(isinstance(each, (list, KeyExists)) for each in outcomes), outcomes
        assert await store.read(counted, here) == (2, 1) or await store.read(counted, here) == (
            3,
            1,
        )

    with_store(scenario)


def test_a_transaction_is_done_whole_or_not_at_all(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        await put(store, here, "stock", "1")

        def is_one(value: str | None) -> bool:
            return value == "1"

        async def take(name: str) -> None:
            await write(
                store,
                here,
                Put(PLAIN, f"order-{name}", "true"),
                Remove(PLAIN, "stock", holds=is_one),
            )

        outcomes = await asyncio.gather(*(take(str(n)) for n in range(10)), return_exceptions=True)
        assert sum(each is None for each in outcomes) == 1
        assert all(each is None or isinstance(each, ConditionFailed) for each in outcomes), outcomes
        assert len((await page(store, here)).items) == 1
        with pytest.raises(ConditionFailed):
            await write(
                store, here, Put(PLAIN, "b", "1"), Check(PLAIN, "stock", lambda v: v is not None)
            )
        assert await got(store, here, "b") is None
        await store.read(counted, here)

    with_store(scenario)


def test_the_count_of_bytes_is_exact_and_bounds_what_is_kept(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, there = await two_installations(store)
        await asyncio.gather(
            *(
                write(store, here, Put(PLAIN, f"k{n % 7}", '"' + "é" * n + '"'), most_bytes=10_000)
                for n in range(40)
            ),
            *(write(store, here, Remove(PLAIN, f"k{n}")) for n in range(3)),
        )
        used, _ = await store.read(counted, here)
        room = used + 10
        with pytest.raises(QuotaExceeded):
            await write(store, here, Put(PLAIN, "new", '"' + "x" * 6 + '"'), most_bytes=room)
        assert (await store.read(counted, here))[0] == used
        await write(store, here, Put(PLAIN, "new", '"' + "x" * 5 + '"'), most_bytes=room)
        await write(store, here, Put(PLAIN, "new", '""'), most_bytes=0)
        await write(store, there, Put(PLAIN, "new", '"' + "x" * 6 + '"'), most_bytes=room)

    with_store(scenario)


def test_in_a_batch_each_write_stands_for_itself(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        await put(store, here, "there")
        outcomes = await store.write(
            appdata.write_each,
            here,
            [Put(PLAIN, "a", "1"), Put(PLAIN, "there", "1", if_absent=True), Put(PLAIN, "b", "1")],
            most_bytes=PLENTY,
        )
        assert [type(each) for each in outcomes] == [type(None), KeyExists, type(None)]
        assert [item.key for item in (await page(store, here)).items] == ["a", "b", "there"]
        await store.read(counted, here)

    with_store(scenario)


def test_nothing_is_written_for_an_installation_that_is_gone(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        here = await install(world)
        await put(store, here, "a")
        with pytest.raises(InstallationGone):
            await put(store, new_id(), "a")
        held = await store.read(installation_by_id, here)
        assert held is not None
        await store.write(installations.remove_installation, world.admin, held)
        with pytest.raises(InstallationGone):
            await put(store, here, "a")
        for table in (schema.kv_item, schema.kv_usage):
            assert await store.read(rows, table) == 0

    with_store(scenario)


# ---- indexes


def entry(place: str) -> IndexEntry:
    return IndexEntry(INDEX, PART, place)


async def put_indexed(world: World, here: str, version: str, key: str, place: str | None) -> None:
    index = () if place is None else (entry(place),)
    await write(
        world.store,
        here,
        Put(SPACE, key, f'"{place}"', index=index),
        schema=Schema(version, {SPACE: [INDEX]}),
    )


async def indexed(store: Store, here: str, **asked: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        part = await store.read(
            appindex.items_by_index,
            here,
            INDEX,
            PART,
            span=asked.get("span", Span()),
            after=after,
            descending=asked.get("descending", False),
            limit=2,
            most_bytes=PLENTY,
        )
        found += [item.key for item in part.items]
        if not part.more:
            return found
        after = part.places[-1]


async def fill(store: Store, here: str, version: str) -> None:
    def place(_key: str, value: str) -> IndexEntry | None:
        return None if value == '"None"' else entry(value.strip('"'))

    while not await store.write(appindex.fill_index, here, version, SPACE, INDEX, place, [INDEX]):
        continue


def test_an_index_is_walked_by_place_then_key(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        version, _ = await deploy(world)
        here = await install(world)
        for key, place in (("k1", "b"), ("k2", "a"), ("k3", "b"), ("k4", "c"), ("k5", None)):
            await put_indexed(world, here, version.id, key, place)
        assert await indexed(store, here) == ["k2", "k1", "k3", "k4"]
        assert await indexed(store, here, descending=True) == ["k4", "k3", "k1", "k2"]
        assert await indexed(store, here, span=Span("b", "c")) == ["k1", "k3"]
        await put_indexed(world, here, version.id, "k1", "z")
        await write(store, here, Remove(SPACE, "k3"))
        assert await indexed(store, here) == ["k2", "k4", "k1"]

    with_store(scenario)


def test_an_index_is_filled_from_what_is_there_and_never_misses_a_write(
    with_store: WithStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appindex, "FILL_BATCH", 2)

    async def scenario(store: Store) -> None:
        world = await seed(store)
        old, _ = await deploy(world)
        here = await install(world)
        for number in range(5):
            await write(
                store,
                here,
                Put(SPACE, f"k{number}", f'"{9 - number}"'),
                schema=Schema(old.id, {SPACE: []}),
            )
        new, _ = await deploy(world)
        with pytest.raises(VersionMoved):
            await write(store, here, Put(SPACE, "late", '"0"'), schema=Schema(old.id, {SPACE: []}))
        assert not await store.read(appindex.index_is_ready, here, INDEX)
        await asyncio.gather(
            fill(store, here, new.id),
            *(put_indexed(world, here, new.id, f"n{n}", "5") for n in range(5)),
        )
        assert await store.read(appindex.index_is_ready, here, INDEX)
        assert await indexed(store, here) == [
            *("n0", "n1", "n2", "n3", "n4"),
            *("k4", "k3", "k2", "k1", "k0"),
        ] or await indexed(store, here) == [
            "k4",
            "n0",
            "n1",
            "n2",
            "n3",
            "n4",
            *("k3", "k2", "k1", "k0"),
        ]
        without, _ = await deploy(world)
        await write(store, here, Put(SPACE, "k0", '"1"'), schema=Schema(without.id, {SPACE: []}))
        again, _ = await deploy(world)
        assert not await store.read(appindex.index_is_ready, here, INDEX)
        await fill(store, here, again.id)
        assert (await indexed(store, here))[0] == "k0"

    with_store(scenario)
