"""The entries of the key-value store, on each database."""

from __future__ import annotations

import asyncio

from registry_world import WithStore, deploy, install, rows, seed

from sallyport.store import appdata, schema
from sallyport.store.appdata import KvPage
from sallyport.store.engine import Store
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.ids import new_id


async def two_installations(store: Store) -> tuple[str, str]:
    world = await seed(store)
    await deploy(world)
    return await install(world), await install(world, "confluence")


async def page(store: Store, installation_id: str, prefix: str = "", **asked: object) -> KvPage:
    return await store.read(
        appdata.entries_by_prefix,
        installation_id,
        prefix=prefix,
        after=asked.get("after"),  # type: ignore[arg-type]
        limit=asked.get("limit", 100),  # type: ignore[arg-type]
        most_characters=asked.get("most_characters", 1_000_000),  # type: ignore[arg-type]
    )


def test_set_get_replace_delete(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        assert await store.read(appdata.entry_by_key, here, "a") is None
        assert await store.write(appdata.set_entry, here, "a", '{"n":1}')
        created = clock.now()
        clock.advance(5)
        assert await store.write(appdata.set_entry, here, "a", '"é\\u0000"')
        entry = await store.read(appdata.entry_by_key, here, "a")
        assert entry is not None
        assert (entry.value, entry.created_at, entry.updated_at) == (
            '"é\\u0000"',
            created,
            created + 5,
        )
        assert await store.write(appdata.delete_entry, here, "a")
        assert not await store.write(appdata.delete_entry, here, "a")

    with_store(scenario)


def test_installations_do_not_see_each_other(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, there = await two_installations(store)
        await store.write(appdata.set_entry, here, "a", "1")
        await store.write(appdata.set_entry, there, "a", "2")
        await store.write(appdata.delete_entry, there, "a")
        entry = await store.read(appdata.entry_by_key, here, "a")
        assert entry is not None
        assert entry.value == "1"
        assert (await page(store, there)).entries == ()

    with_store(scenario)


def test_keys_come_in_the_order_of_code_points(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        keys = ["a:1", "a:10", "a:2", "a:B", "a:a", "a b", "A:1", "b", "a#", "a-", "a", "a:\u3000z"]
        for key in keys:
            await store.write(appdata.set_entry, here, key, "0")
        everything = await page(store, here)
        assert [entry.key for entry in everything.entries] == sorted(keys)
        found = await page(store, here, "a:")
        expected = sorted(key for key in keys if key.startswith("a:"))
        assert [entry.key for entry in found.entries] == expected
        walked: list[str] = []
        after: str | None = None
        for _ in range(10):
            part = await page(store, here, "a:", limit=2, after=after)
            walked += [entry.key for entry in part.entries]
            if not part.more:
                break
            after = walked[-1]
        assert walked == expected

    with_store(scenario)


def test_a_page_of_large_values_is_shorter_and_says_that_more_follow(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        for number in range(5):
            await store.write(appdata.set_entry, here, f"k{number}", '"' + "x" * 100 + '"')
        short = await page(store, here, most_characters=250)
        assert [entry.key for entry in short.entries] == ["k0", "k1"]
        assert short.more
        single = await page(store, here, most_characters=10, after="k3")
        assert [entry.key for entry in single.entries] == ["k4"]
        assert not single.more

    with_store(scenario)


def test_writes_of_one_key_race_and_one_row_is_left(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        here, _ = await two_installations(store)
        await asyncio.gather(
            *(store.write(appdata.set_entry, here, "a", str(number)) for number in range(20))
        )
        assert await store.read(rows, schema.kv_entry) == 1

    with_store(scenario)


def test_nothing_is_written_for_an_installation_that_is_gone(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        await two_installations(store)
        assert not await store.write(appdata.set_entry, new_id(), "a", "1")
        assert await store.read(rows, schema.kv_entry) == 0

    with_store(scenario)
