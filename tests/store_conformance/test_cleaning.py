"""What has ended is deleted in small batches; what lives, or still tells of theft, stays.

Planted bugs that these tests were seen to fail on: codes deleted as they expire, so that a
replay is no sign of theft any more; families deleted by their age and not by their end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from access_world import seed
from sallyport.model.redemption import Denial, RefreshOffer
from sallyport.store import schema
from sallyport.store.cleaning import CLEANED, REMEMBERED, clean
from sallyport.store.engine import Reader, Store
from sallyport.store.sessions import add_session
from sallyport.tokens.codes import Redeemed
from sallyport.tokens.policy import TokenPolicy
from sallyport.tokens.refresh import rotate
from sallyport.vocab.clock import DAY, ManualClock

WithStore = Callable[..., Any]
POLICY = TokenPolicy()


async def rows(reader: Reader) -> dict[str, int]:
    return {
        table.name: int(await reader.scalar(select(func.count()).select_from(table)))
        for table, _ in CLEANED
    }


async def clean_all(store: Store, *, audit_before: int = 0, batch: int = 7) -> dict[str, int]:
    """As upkeep does: each table, batch after batch, until nothing is left to delete."""
    gone: dict[str, int] = {}
    for table, _ in CLEANED:
        while count := await store.write(clean, table.name, audit_before=audit_before, batch=batch):
            assert count <= batch
            gone[table.name] = gone.get(table.name, 0) + count
    return gone


def test_tables_stay_bounded_and_the_living_stay(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        world = await seed(store)
        old: list[Redeemed] = []
        for _ in range(10):
            made = await world.redeem(await world.consent())
            assert isinstance(made, Redeemed)
            old.append(made)
        assert "authorization_code" not in await clean_all(store)

        clock.advance(REMEMBERED + POLICY.code_lifetime + 1)
        gone = await clean_all(store)
        assert gone["authorization_code"] == 10
        left = await store.read(rows)
        assert (left["token_family"], left["refresh_token"]) == (10, 10)

        clock.advance(POLICY.refresh_absolute + REMEMBERED + 1)
        made = await world.redeem(await world.consent())
        assert isinstance(made, Redeemed)
        gone = await clean_all(store)
        assert gone["token_family"] == 10
        left = await store.read(rows)
        assert (left["authorization_code"], left["token_family"], left["refresh_token"]) == (1,) * 3
        assert left["audit"] > 10

        offer = RefreshOffer(world.client_id, None)
        assert made.refresh_token is not None
        again = await rotate(store, POLICY, made.refresh_token, offer, None)
        assert isinstance(again, Redeemed)
        assert old[0].refresh_token is not None
        assert isinstance(await rotate(store, POLICY, old[0].refresh_token, offer, None), Denial)

    with_store(scenario)


def test_a_code_that_comes_back_within_a_day_still_ends_what_it_gave(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        world = await seed(store)
        code = await world.consent()
        made = await world.redeem(code)
        assert isinstance(made, Redeemed)
        clock.advance(REMEMBERED)
        await clean_all(store)
        assert isinstance(await world.redeem(code), Denial)
        family = schema.token_family.c
        revoked = await store.read(
            lambda reader: reader.scalar(
                select(family.revoked_at).where(family.id == made.issue.family_id)
            )
        )
        assert revoked == clock.now()

    with_store(scenario)


def test_the_audit_and_sessions_go_at_their_time(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        world = await seed(store)
        await store.write(add_session, "s" * 64, world.member.id, clock.now() + 1)
        before = await store.read(rows)
        clock.advance(DAY + 1)
        await world.consent()
        gone = await clean_all(store, audit_before=clock.now())
        assert gone["audit"] == before["audit"]
        assert gone["session"] == 1
        assert gone["change"] == before["change"]
        left = await store.read(rows)
        assert left["audit"] > 0
        assert left["session"] == 0

    with_store(scenario)
