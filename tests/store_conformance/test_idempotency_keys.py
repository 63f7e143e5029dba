"""What idempotency keys promise, on every database: one run, one answer, bounded, cleaned.

Planted bugs that these tests were seen to fail on: a claim that does not look again once it holds
the count; settling a claim that is no longer ours; a lease that never ends; an expired key that
still answers; keys that are cleaned without being given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from access_world import WithStore, World, seed
from sallyport.store import idempotency as keys
from sallyport.store import schema
from sallyport.store.cleaning import clean
from sallyport.store.engine import Reader
from sallyport.vocab.clock import DAY, MINUTE, ManualClock

ANSWER = keys.KeptAnswer(201, (("content-type", "text/plain"), ("x-a", "ä")), b"\x00made\xff")
MOST = 100


class Keys:
    """Claims for one installation of the world."""

    def __init__(self, world: World, installation_id: str) -> None:
        self.store = world.store
        assert isinstance(world.store.clock, ManualClock)
        self.clock = world.store.clock
        now = self.clock.now()
        self.wish = keys.Claim("d" * 64, installation_id, "f" * 64, "me", now + MINUTE, now + DAY)

    async def claim(self, most: int = MOST, **changes: Any) -> keys.Claiming:
        return await self.store.write(keys.claim_key, replace(self.wish, **changes), most=most)

    async def settle(
        self, outcome: keys.Settlement = ANSWER, most_bytes: int = 10_000, **changes: Any
    ) -> bool:
        claim = replace(self.wish, **changes)
        return await self.store.write(keys.settle_key, claim, outcome, most_bytes=most_bytes)

    async def kept(self) -> tuple[int, int]:
        """Keys and bytes, as counted; checked against what is there."""

        async def ask(reader: Reader) -> tuple[Any, Any]:
            usage, key = schema.idempotency_usage.c, schema.idempotency.c
            counted = await reader.first(select(usage.entries, usage.bytes))
            there = await reader.first(
                select(func.count(), func.coalesce(func.sum(key.size), 0)).select_from(
                    schema.idempotency
                )
            )
            return counted, there

        counted, there = await self.store.read(ask)
        assert there is not None
        assert counted is None or tuple(counted) == tuple(there)
        return int(there[0]), int(there[1])


Scenario = Callable[[Keys], Any]


@pytest.fixture
def with_keys(with_store: WithStore) -> Callable[[Scenario], Any]:
    def run(scenario: Scenario) -> Any:
        async def go(store: Any) -> Any:
            world = await seed(store)
            installation_id = await store.read(
                lambda reader: reader.scalar(select(func.min(schema.installation.c.id)))
            )
            return await scenario(Keys(world, installation_id))

        return with_store(go)

    return run


WithKeys = Callable[[Scenario], Any]


def test_a_key_runs_once_and_gives_its_answer_again(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        assert await world.claim() == keys.Claimed()
        assert await world.claim() == keys.Running()
        assert await world.settle()
        assert await world.claim() == ANSWER
        assert await world.claim(fingerprint="0" * 64) == keys.OtherRequest()
        assert await world.claim(digest="e" * 64) == keys.Claimed()
        entries, size = await world.kept()
        assert entries == 2
        assert size >= len(ANSWER.body)

    with_keys(scenario)


def test_another_request_with_the_key_of_a_running_one_is_told_so(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        await world.claim()
        assert await world.claim(fingerprint="0" * 64) == keys.OtherRequest()

    with_keys(scenario)


def test_of_many_at_once_one_is_claimed(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        for n in range(10):
            found = await asyncio.gather(
                *(world.claim(digest=f"{n:064}", owner=str(m)) for m in range(8))
            )
            assert sorted(type(each).__name__ for each in found) == ["Claimed"] + ["Running"] * 7
        assert await world.kept() == (10, 0)

    with_keys(scenario)


def test_a_failure_is_kept_and_a_run_that_never_began_is_not(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        await world.claim()
        assert await world.settle(keys.KeptFailure("timeout"))
        assert await world.claim() == keys.KeptFailure("timeout")
        await world.claim(digest="e" * 64)
        await world.store.write(keys.release_key, replace(world.wish, digest="e" * 64))
        assert await world.kept() == (1, 0)
        assert await world.claim(digest="e" * 64) == keys.Claimed()

    with_keys(scenario)


def test_a_run_whose_process_died_or_whose_lease_ended_is_told_of(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        await world.claim()
        await world.claim(digest="e" * 64, owner="another")
        assert await world.store.write(keys.interrupt_runs_of, "me") == 1
        assert await world.claim() == keys.Interrupted()
        assert await world.claim(digest="e" * 64) == keys.Running()
        world.clock.advance(MINUTE)
        assert await world.claim(digest="e" * 64) == keys.Interrupted()
        await world.claim(digest="a" * 64)
        await world.store.write(keys.interrupt_key, replace(world.wish, digest="a" * 64))
        assert await world.claim(digest="a" * 64) == keys.Interrupted()

    with_keys(scenario)


def test_only_the_one_that_claimed_settles_and_only_once(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        await world.claim()
        assert not await world.settle(owner="another")
        await world.store.write(keys.release_key, replace(world.wish, owner="another"))
        assert await world.claim() == keys.Running()
        assert await world.settle()
        assert not await world.settle(replace(ANSWER, status=500))
        await world.store.write(keys.release_key, world.wish)
        await world.store.write(keys.interrupt_key, world.wish)
        assert await world.claim() == ANSWER

    with_keys(scenario)


def test_keys_and_bytes_of_an_installation_are_bounded(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        for n in range(3):
            assert await world.claim(most=3, digest=str(n) * 64) == keys.Claimed()
        assert await world.claim(most=3) == keys.Full()
        # One that is there already is no new one.
        assert await world.claim(most=3, digest="0" * 64) == keys.Running()
        size = len(ANSWER.body) + 60
        for n in range(3):
            await world.settle(most_bytes=2 * size, digest=str(n) * 64)
        standing = [await world.claim(digest=str(n) * 64) for n in range(3)]
        assert standing == [ANSWER, ANSWER, keys.Unkept(201)]
        assert (await world.kept())[1] <= 2 * size

    with_keys(scenario)


def test_a_key_ends_after_its_time_and_is_cleaned(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        for n in range(5):
            await world.claim(digest=str(n) * 64)
            await world.settle(digest=str(n) * 64)
        world.clock.advance(DAY)
        # One is used anew before anybody has cleaned.
        assert (
            await world.claim(digest="0" * 64, expires_at=world.clock.now() + DAY) == keys.Claimed()
        )
        assert (await world.kept())[0] == 5
        world.clock.advance(1)
        gone = [
            await world.store.write(clean, "idempotency", audit_before=0, batch=3) for _ in range(3)
        ]
        assert gone == [3, 1, 0]
        assert await world.kept() == (1, 0)

    with_keys(scenario)


def test_keys_go_with_their_installation(with_keys: WithKeys) -> None:
    async def scenario(world: Keys) -> None:
        await world.claim()
        await world.settle()
        gone = delete(schema.installation).where(
            schema.installation.c.id == world.wish.installation_id
        )
        await world.store.write(lambda tx: tx.run(gone))
        assert await world.kept() == (0, 0)

    with_keys(scenario)
