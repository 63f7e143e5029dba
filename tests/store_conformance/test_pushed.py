"""Pushed requests are opened once and answered once, on every database.

Planted bugs that these tests were seen to fail on: `consumed_at` not asked for when a request is
opened; the answer not counted when a code is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from access_world import CALLBACK, SCOPES, actor, seed
from sallyport.store.consent import Consent, give_consent
from sallyport.store.engine import Store
from sallyport.store.pushed import open_request, opened_request, push_request
from sallyport.vocab.clock import MINUTE

WithStore = Callable[..., Any]
PAIRS = (("client_id", "x"), ("state", "é"))


def test_of_many_at_once_one_opens_and_one_answers(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        until = store.clock.now() + MINUTE
        await store.write(push_request, world.client_id, "a" * 64, PAIRS, until)
        named = [f"{each:064d}" for each in range(20)]
        found = await asyncio.gather(
            *(store.write(open_request, world.client_id, "a" * 64, each, until) for each in named)
        )
        [winner] = [each for each, pairs in zip(named, found, strict=True) if pairs is not None]
        assert found[named.index(winner)] == PAIRS
        now = store.clock.now()
        assert await store.read(opened_request, world.client_id, winner, now) == PAIRS
        assert await store.read(opened_request, world.client_id, "a" * 64, now) is None
        rival = world.rival.client_id
        assert await store.read(opened_request, rival, winner, now) is None
        assert await store.write(open_request, world.client_id, winner, "b" * 64, until) is None

        consent = Consent(
            client_id=world.client_id,
            account_id=world.member.id,
            site_id=world.site.id,
            environment_id=world.environment.id,
            scopes=SCOPES,
            redirect_uri=CALLBACK,
            redirect_uri_sent=True,
            code_challenge=None,
            pushed=winner,
        )
        given = await asyncio.gather(
            *(
                store.write(give_consent, actor(world.member), consent, f"c{each:063d}", MINUTE)
                for each in range(20)
            )
        )
        assert given.count(True) == 1
        assert await store.read(opened_request, world.client_id, winner, now) is None

    with_store(scenario)
