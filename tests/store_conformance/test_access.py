"""What codes, refresh tokens, grants, integrations and keys promise, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from access_world import (
    CALLBACK,
    JIRA,
    OTHER_CALLBACK,
    READ,
    SCOPES,
    WRITE,
    WithStore,
    World,
    actor,
    audited,
    refresh_token,
    seed,
)
from sallyport.model.access import OFFLINE_ACCESS
from sallyport.model.redemption import Denial
from sallyport.store import client_secrets, directory, grants, integrations, schema
from sallyport.store.changes import Change, Kind
from sallyport.store.consent import Consent, give_consent
from sallyport.store.engine import Reader, Store
from sallyport.store.proofs import use_proof
from sallyport.store.seal import Sealer, Unsealable
from sallyport.tokens.codes import Redeemed
from sallyport.tokens.keys import open_keys
from sallyport.vocab import ids
from sallyport.vocab.clock import DAY, MINUTE, SECOND, ManualClock
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

Scenario = Callable[[World], Any]


@pytest.fixture
def in_world(with_store: WithStore) -> Callable[[Scenario], Any]:
    def run(scenario: Scenario) -> Any:
        async def go(store: Store) -> Any:
            return await scenario(await seed(store))

        return with_store(go)

    return run


InWorld = Callable[[Scenario], Any]


async def count(reader: Reader, table: Any) -> int:
    return int(await reader.scalar(select(func.count()).select_from(table)))


async def live_refresh_tokens(reader: Reader) -> int:
    token, family = schema.refresh_token.c, schema.token_family.c
    return int(
        await reader.scalar(
            select(func.count())
            .select_from(schema.refresh_token.join(schema.token_family))
            .where(token.consumed_at.is_(None), family.revoked_at.is_(None))
        )
    )


# ---- codes


def test_fifty_presenters_of_one_code_make_one_family(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        code = await world.consent()
        results = await asyncio.gather(*(world.redeem(code) for _ in range(50)))
        assert sum(isinstance(each, Redeemed) for each in results) == 1
        denials = [each for each in results if isinstance(each, Denial)]
        assert {each.error for each in denials} == {"invalid_grant"}
        assert await world.store.read(count, schema.token_family) == 1
        assert await world.store.read(count, schema.refresh_token) == 1
        issued = await world.store.read(audited, Event.TOKEN_ISSUED, Event.CODE_REPLAYED)
        assert issued == ["token:issued", "code:replayed"]

    in_world(scenario)


def test_a_replayed_code_ends_what_it_gave_and_tells_gateways(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        code = await world.consent()
        redeemed = await world.redeem(code)
        heard: list[Change] = []
        world.store.feed.follow(heard.append)
        assert isinstance(await world.redeem(code), Denial)
        assert isinstance(redeemed, Redeemed)
        family = await world.store.read(grants.family_by_id, redeemed.issue.family_id)
        assert family is not None
        assert family.revoked_at is not None
        assert Change(Kind.FAMILY, family.id) in heard
        assert isinstance(await world.refresh(redeemed.refresh_token), Denial)

    in_world(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "rival"},
        {"redirect_uri": OTHER_CALLBACK},
        {"redirect_uri": None},
        {"code_verifier": "v" * 43},
    ],
)
def test_what_does_not_fit_does_not_spoil_a_code(in_world: InWorld, wrong: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        code = await world.consent()
        if "client_id" in wrong:
            denied = await world.redeem(code, client_id=world.rival.client_id)
        else:
            denied = await world.redeem(code, **wrong)
        assert isinstance(denied, Denial)
        assert isinstance(await world.redeem(code), Redeemed)

    in_world(scenario)


def test_a_code_lives_for_sixty_seconds(in_world: InWorld, clock: ManualClock) -> None:
    async def scenario(world: World) -> None:
        first, second = await world.consent(), await world.consent()
        clock.advance(60 * SECOND - 1)
        assert isinstance(await world.redeem(first), Redeemed)
        clock.advance(1)
        assert isinstance(await world.redeem(second), Denial)

    in_world(scenario)


def test_a_code_is_nothing_once_consent_or_membership_ended(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        code = await world.consent()
        await world.store.write(directory.end_membership, world.member.id, world.site.id)
        assert isinstance(await world.redeem(code), Denial)
        elsewhere = await world.consent(site_id=world.other_site.id)
        held = await world.store.read(grants.grants_of_site, world.other_site.id)
        await world.store.write(grants.end_grant, actor(world.member), held[0].grant.id)
        assert isinstance(await world.redeem(elsewhere), Denial)
        assert await world.store.read(count, schema.token_family) == 0

    in_world(scenario)


# ---- refresh tokens


def test_fifty_presenters_of_one_refresh_token_get_one_successor(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        token = refresh_token(await world.tokens())
        results = await asyncio.gather(*(world.refresh(token) for _ in range(50)))
        assert len({refresh_token(each) for each in results}) == 1
        assert await world.store.read(live_refresh_tokens) == 1
        refreshed = await world.store.read(audited, Event.TOKEN_REFRESHED)
        assert len(refreshed) == 50

    in_world(scenario)


def test_a_lost_answer_is_repeated_within_the_window_only(
    in_world: InWorld, clock: ManualClock
) -> None:
    async def scenario(world: World) -> None:
        token = refresh_token(await world.tokens())
        successor = refresh_token(await world.refresh(token))
        clock.advance(30 * SECOND - 1)
        assert refresh_token(await world.refresh(token)) == successor
        clock.advance(1)
        assert isinstance(await world.refresh(token), Denial)
        assert isinstance(await world.refresh(successor), Denial)
        events = await world.store.read(audited, Event.TOKEN_REUSE_DETECTED)
        assert events == ["token:reuse-detected"]

    in_world(scenario)


def test_a_grandparent_ends_the_family_even_within_the_window(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        first = refresh_token(await world.tokens())
        second = refresh_token(await world.refresh(first))
        third = refresh_token(await world.refresh(second))
        assert isinstance(await world.refresh(first), Denial)
        assert isinstance(await world.refresh(third), Denial)
        assert await world.store.read(live_refresh_tokens) == 0

    in_world(scenario)


def test_another_client_gets_nothing_and_spoils_nothing(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        token = refresh_token(await world.tokens())
        assert isinstance(await world.refresh(token, client_id=world.rival.client_id), Denial)
        successor = refresh_token(await world.refresh(token))
        assert isinstance(await world.refresh(token, client_id=world.rival.client_id), Denial)
        assert isinstance(await world.refresh(successor), Redeemed)

    in_world(scenario)


def test_the_successor_is_stored_so_that_only_its_parent_opens_it(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        token = refresh_token(await world.tokens())
        successor = refresh_token(await world.refresh(token))

        async def everything(reader: Reader) -> bytes:
            rows = await reader.all(select(schema.refresh_token))
            return repr([tuple(row) for row in rows]).encode()

        stored = await world.store.read(everything)
        for secret in (token, successor):
            assert secret.encode() not in stored

        async def sealed(reader: Reader) -> bytes:
            column = schema.refresh_token.c.successor_sealed
            found = await reader.scalar(select(column).where(column.is_not(None)))
            assert isinstance(found, bytes)
            return found

        kept = await world.store.read(sealed)
        for key in (bytes(range(32)), bytes(32)):
            with pytest.raises(Unsealable):
                Sealer(key).open(kept, "refresh-token successor")

    in_world(scenario)


def test_refresh_tokens_slide_for_90_days_and_end_after_365(
    in_world: InWorld, clock: ManualClock
) -> None:
    async def scenario(world: World) -> None:
        idle = refresh_token(await world.tokens())
        token = refresh_token(await world.tokens())
        for _ in range(4):
            clock.advance(90 * DAY - 1)
            token = refresh_token(await world.refresh(token))
        assert isinstance(await world.refresh(idle), Denial)
        clock.advance(5 * DAY + 3)
        assert isinstance(await world.refresh(token), Redeemed)
        token = refresh_token(await world.refresh(token))
        clock.advance(1)
        assert isinstance(await world.refresh(token), Denial)

    in_world(scenario)


def test_scopes_never_grow_by_refreshing(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        narrow = frozenset({READ, JIRA, OFFLINE_ACCESS})
        token = refresh_token(await world.tokens(scopes=narrow))
        await world.consent()
        denied = await world.refresh(token, scopes=narrow | {WRITE})
        assert denied == Denial("invalid_scope", f"The refresh token was not issued for {WRITE}.")
        same = await world.refresh(token)
        assert isinstance(same, Redeemed)
        assert same.issue.scopes == narrow
        less = await world.refresh(same.refresh_token, scopes=frozenset({READ}))
        assert isinstance(less, Redeemed)
        assert less.issue.scopes == {READ}

    in_world(scenario)


def test_what_the_link_no_longer_allows_is_no_longer_issued(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        token = refresh_token(await world.tokens())
        owner = actor(world.developer)
        narrow = world.link(scopes=frozenset({READ}))
        await world.store.write(integrations.set_link, owner, world.client_id, narrow)
        less = await world.refresh(token)
        assert isinstance(less, Redeemed)
        assert less.issue.scopes == {READ, JIRA, OFFLINE_ACCESS}
        await world.store.write(
            integrations.remove_link, owner, world.client_id, world.site.id, world.environment.id
        )
        assert isinstance(await world.refresh(less.refresh_token), Denial)

    in_world(scenario)


@pytest.mark.parametrize("ends", ["grant", "family", "integration", "membership"])
def test_after_racing_an_end_nothing_works(in_world: InWorld, ends: str) -> None:
    """T-RT (d): whoever wins, once the end is acknowledged no token refreshes."""

    async def scenario(world: World) -> None:
        issue = (redeemed := await world.tokens()).issue
        store, who = world.store, actor(world.admin)

        async def end() -> None:
            if ends == "grant":
                await store.write(grants.end_grant, who, issue.grant.id)
            elif ends == "family":
                await store.write(grants.end_family, who, issue.family_id, Event.TOKEN_REVOKED)
            elif ends == "integration":
                await store.write(integrations.revoke_integration, who, world.client_id)
            else:
                await store.write(directory.end_membership, world.member.id, world.site.id)

        token = refresh_token(redeemed)
        first, _ = await asyncio.gather(world.refresh(token), end())
        left = [token] + ([refresh_token(first)] if isinstance(first, Redeemed) else [])
        for each in left:
            assert isinstance(await world.refresh(each), Denial)

    in_world(scenario)


# ---- grants


def test_consent_adds_to_the_one_live_grant(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        wanted = [frozenset({READ}), frozenset({WRITE}), frozenset({READ, JIRA})]
        await asyncio.gather(*(world.consent(scopes=each) for each in wanted * 5))
        held = await world.store.read(grants.grants_of_account, world.member.id)
        assert len(held) == 1
        assert held[0].grant.scopes == {READ, WRITE, JIRA}
        assert held[0].integration_name == "Sync"
        assert (held[0].host, held[0].app_name) == ("acme.test", "People")

    in_world(scenario)


def test_an_ended_grant_stays_ended(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        before = await world.tokens()
        who = actor(world.member)
        assert await world.store.write(grants.end_grant, who, before.issue.grant.id)
        assert not await world.store.write(grants.end_grant, who, before.issue.grant.id)
        after = await world.tokens()
        assert after.issue.grant.id != before.issue.grant.id
        assert isinstance(await world.refresh(before.refresh_token), Denial)
        assert isinstance(await world.refresh(after.refresh_token), Redeemed)

    in_world(scenario)


@pytest.mark.parametrize("gone", ["membership", "link", "scope", "redirect", "app"])
def test_consent_counts_only_while_all_of_it_stands(in_world: InWorld, gone: str) -> None:
    async def scenario(world: World) -> None:
        store, owner = world.store, actor(world.developer)
        consent = Consent(
            world.client_id,
            world.member.id,
            world.site.id,
            world.other_environment.id if gone == "app" else world.environment.id,
            SCOPES | {"admin:employee:custom"} if gone == "scope" else SCOPES,
            OTHER_CALLBACK if gone == "redirect" else CALLBACK,
            True,
            None,
        )
        if gone == "membership":
            await store.write(directory.end_membership, world.member.id, world.site.id)
        if gone == "link":
            link = (world.client_id, world.site.id, world.environment.id)
            assert await store.write(integrations.remove_link, owner, *link)
        digest = ids.digest("code")
        assert not await store.write(give_consent, owner, consent, digest, MINUTE)
        assert await store.read(count, schema.grant) == 0

    in_world(scenario)


# ---- integrations


def test_two_secrets_live_while_one_is_rotated(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        store, owner, client = world.store, actor(world.developer), world.client_id
        attempts = [
            store.write(client_secrets.add_secret, owner, client, f"{n}") for n in range(10)
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        refused = [each for each in results if isinstance(each, Refused)]
        assert len(refused) == 9
        assert {each.reason for each in refused} == {Reason.CONFLICT}
        first, second = await store.read(client_secrets.live_secret_digests, client)
        assert first == ids.digest(world.secret)
        assert await store.write(client_secrets.end_previous_secret, owner, client)
        assert await store.read(client_secrets.live_secret_digests, client) == (second,)
        assert not await store.write(client_secrets.end_previous_secret, owner, client)

    in_world(scenario)


def test_ending_an_integration_ends_its_secrets_and_grants(in_world: InWorld) -> None:
    async def scenario(world: World) -> None:
        store, owner = world.store, actor(world.developer)
        redeemed = await world.tokens()
        heard: list[Change] = []
        store.feed.follow(heard.append)
        assert await store.write(integrations.revoke_integration, owner, world.client_id)
        assert not await store.write(integrations.revoke_integration, owner, world.client_id)
        assert await store.read(client_secrets.live_secret_digests, world.client_id) == ()
        assert await store.read(grants.grants_of_account, world.member.id) == []
        assert Change(Kind.INTEGRATION, world.client_id) in heard
        assert Change(Kind.GRANT, redeemed.issue.grant.id) in heard
        with pytest.raises(Refused):
            await store.write(client_secrets.add_secret, owner, world.client_id, "x")

    in_world(scenario)


# ---- keys


def test_starts_that_race_make_one_signing_key(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        opened = await asyncio.gather(*(open_keys(store) for _ in range(10)))
        assert len({each.ring.signing_at(0).kid for each in opened}) == 1
        again = await open_keys(store)
        assert again.ring.jwks() == opened[0].ring.jwks()
        assert "d" not in again.ring.jwks()["keys"][0]

        async def sealed(reader: Reader) -> bytes:
            return bytes(await reader.scalar(select(schema.signing_key.c.sealed)))

        assert b'"d"' not in await store.read(sealed)

    with_store(scenario)


def test_a_proof_is_used_once_whoever_comes_first(with_store: WithStore) -> None:
    """Planted bugs seen: a row that anyone overwrites; a proof remembered for ever."""

    async def scenario(store: Store) -> None:
        clock = store.clock
        assert isinstance(clock, ManualClock)
        until = clock.now() + MINUTE
        taken = await asyncio.gather(
            *(store.write(use_proof, "a" * 64, until) for _ in range(20)),
            *(store.write(use_proof, "b" * 64, until) for _ in range(20)),
        )
        assert sorted(taken[:20]) == sorted(taken[20:]) == [False] * 19 + [True]
        clock.advance(MINUTE - 1)
        assert not await store.write(use_proof, "a" * 64, until + MINUTE)
        clock.advance(1)
        assert await store.write(use_proof, "a" * 64, until + MINUTE)
        assert not await store.write(use_proof, "a" * 64, until + MINUTE)

    with_store(scenario)
