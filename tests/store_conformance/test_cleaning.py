"""What has ended is deleted in small batches; what lives, or still tells of theft, stays.

Planted bugs that these tests were seen to fail on: codes deleted as they expire, so that a
replay is no sign of theft any more; families deleted by their age and not by their end; revoked
grants, ended integrations and accounts of service accounts that are never deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from access_world import World, actor, seed
from sallyport.model.redemption import Denial, RefreshOffer
from sallyport.store import schema
from sallyport.store.approvals import approvals_of_site, require_approval
from sallyport.store.cleaning import CLEANED, REMEMBERED, clean
from sallyport.store.client_secrets import add_secret, end_previous_secret
from sallyport.store.engine import Reader, Store
from sallyport.store.grants import end_family, end_grant, grants_of_account
from sallyport.store.integrations import create_integration, revoke_integration, set_link
from sallyport.store.links import answer_approval
from sallyport.store.proofs import use_proof
from sallyport.store.service_accounts import create_service_account, end_service_account
from sallyport.store.service_requests import answer_service_request, ask_service_account
from sallyport.store.sessions import add_session, revoke_api_tokens_of
from sallyport.tokens.api_tokens import mint
from sallyport.tokens.codes import Redeemed
from sallyport.tokens.policy import TokenPolicy
from sallyport.tokens.refresh import rotate
from sallyport.vocab import ids
from sallyport.vocab.clock import DAY, ManualClock
from sallyport.vocab.events import Event

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


async def churn(store: Store, world: World) -> None:
    """A day of everything that is made and ended, once; nothing of it is alive at the end."""
    by, member = actor(world.admin), actor(world.member)
    tokens = await world.tokens()
    again = await world.refresh(tokens.refresh_token)
    assert isinstance(again, Redeemed)
    await store.write(
        end_family, member, again.issue.family_id, Event.TOKEN_REVOKED, "a test of cleaning"
    )
    for line in await store.read(grants_of_account, world.member.id):
        await store.write(end_grant, member, line.grant.id)
    link = world.link()
    made = await store.write(
        create_integration, by, world.admin.id, "Short", ("https://x.test/",), link, "1" * 64
    )
    await store.write(add_secret, by, made.client_id, "2" * 64)
    await store.write(end_previous_secret, by, made.client_id)
    await store.write(require_approval, by, world.site.id, True, "")
    await store.write(
        set_link, by, made.client_id, replace(link, environment_id=world.other_environment.id)
    )
    (asked,) = await store.read(approvals_of_site, world.site.id, pending=True)
    assert await store.write(answer_approval, by, asked, asked.asked, "")
    await store.write(require_approval, by, world.site.id, False, "")
    await store.write(revoke_integration, by, made.client_id)
    await store.write(ask_service_account, member, world.member.id, "Robot", link, "")
    (request,) = await store.read(approvals_of_site, world.site.id, pending=True)
    await store.write(answer_service_request, by, request, frozenset(), "no")
    robot = await store.write(create_service_account, by, world.admin.id, "Robot", link, "3" * 64)
    assert await store.write(end_service_account, by, robot)
    key = await store.write(mint, member, world.member.id, "laptop")
    await store.write(revoke_api_tokens_of, world.member.id)
    assert key.secret
    await store.write(add_session, ids.digest(ids.new_id()), world.member.id, store.clock.now() + 1)
    assert await store.write(use_proof, ids.digest(ids.new_id()), store.clock.now() + 1)


def test_no_table_grows_with_what_has_ended(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        world = await seed(store)

        async def counts(reader: Reader) -> dict[str, int]:
            return {
                table.name: int(await reader.scalar(select(func.count()).select_from(table)))
                for table in schema.metadata.tables.values()
            }

        seen = []
        for _ in range(6):
            await churn(store, world)
            clock.advance(2 * REMEMBERED)
            await clean_all(store, audit_before=clock.now() - 3 * DAY)
            seen.append(await store.read(counts))
        assert seen[-1] == seen[2]
        assert seen[-1]["access_grant"] == seen[-1]["token_family"] == 0

    with_store(scenario)
