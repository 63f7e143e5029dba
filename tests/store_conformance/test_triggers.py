"""Web triggers' URLs and scheduled runs, on each database."""

from __future__ import annotations

import asyncio
from typing import Any

from registry_world import WithStore, World, audited, deploy, install, rows, seed

from sallyport.store import installations, schema, triggers
from sallyport.store.engine import Store, open_store
from sallyport.store.installed import Installed, installation_by_id
from sallyport.store.seal import Sealer
from sallyport.store.triggers import DueRun
from sallyport.vocab.clock import HOUR, MINUTE, ManualClock
from sallyport.vocab.ids import WEB_TRIGGER, is_well_formed, new_secret


async def opened(store: Store) -> tuple[World, Installed]:
    world = await seed(store)
    await deploy(world)
    held = await store.read(installation_by_id, await install(world))
    assert held is not None
    return world, held


def hourly(_manifest: str) -> dict[str, str]:
    return {"tidy": "hour"}


async def due(store: Store) -> list[DueRun]:
    return await store.write(triggers.claim_due, 10)


def test_a_url_is_made_once_and_ends(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world, held = await opened(store)
        made = await asyncio.gather(
            *(store.write(triggers.add_web_trigger, world.admin, held, "hook") for _ in range(5))
        )
        assert len({each.secret for each in made}) == 1
        url = made[0]
        assert is_well_formed(url.secret, WEB_TRIGGER)
        place = await store.read(triggers.place_of, url.secret)
        assert place is not None
        assert (place.module_key, place.installation_id) == ("hook", held.installation.id)
        assert await store.read(triggers.place_of, new_secret(WEB_TRIGGER)) is None
        assert await store.write(triggers.remove_web_trigger, world.admin, held, url)
        assert not await store.write(triggers.remove_web_trigger, world.admin, held, url)
        assert await store.read(triggers.place_of, url.secret) is None
        again = await store.write(triggers.add_web_trigger, world.admin, held, "hook")
        assert again.secret != url.secret
        events = await store.read(audited)
        assert events.count("web-trigger:created") == 2
        assert events.count("web-trigger:deleted") == 1

    with_store(scenario)


def test_a_url_lies_unreadable(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world, held = await opened(store)
        url = await store.write(triggers.add_web_trigger, world.admin, held, "hook")

        async def stored(reader: Any) -> Any:
            return await reader.first(schema.web_trigger.select())

        row = await store.read(stored)
        assert url.secret not in repr(tuple(row))
        assert url.secret.encode() not in row.sealed

    with_store(scenario)


def test_uninstalling_ends_urls_and_schedules(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world, held = await opened(store)
        url = await store.write(triggers.add_web_trigger, world.admin, held, "hook")
        await store.write(triggers.plan_runs, held.installation.id, hourly)
        assert await store.read(rows, schema.scheduled_run) == 1
        await store.write(installations.remove_installation, world.admin, held)
        assert await store.read(triggers.place_of, url.secret) is None
        assert await store.read(rows, schema.scheduled_run) == 0
        await store.write(triggers.plan_runs, held.installation.id, hourly)
        assert await store.read(rows, schema.scheduled_run) == 0

    with_store(scenario)


def test_a_missed_schedule_runs_once_and_then_keeps_its_time(
    with_store: WithStore, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        _, held = await opened(store)
        here = held.installation.id
        for _ in range(2):
            await store.write(triggers.plan_runs, here, hourly)
        first = clock.now() + 5 * MINUTE
        clock.advance(5 * MINUTE - 1)
        assert await due(store) == []
        clock.advance(1)
        assert await due(store) == [DueRun(here, "tidy", first)]
        assert await due(store) == []
        clock.advance(7 * HOUR + MINUTE)
        assert await due(store) == [DueRun(here, "tidy", first + HOUR)]
        assert await due(store) == []
        clock.advance(59 * MINUTE - 1)
        assert await due(store) == []
        clock.advance(1)
        assert await due(store) == [DueRun(here, "tidy", first + 8 * HOUR)]
        await store.write(triggers.plan_runs, here, lambda _: {"tidy": "day"})
        assert await store.read(triggers.planned_runs, [here]) == {here: {"tidy": "day"}}
        await store.write(triggers.plan_runs, here, lambda _: {})
        clock.advance(100 * HOUR)
        assert await due(store) == []

    with_store(scenario)


def test_of_several_processes_one_claims_a_run(
    with_store: WithStore, store_url: str, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        _, held = await opened(store)
        many = {f"t{number}": "fiveMinute" for number in range(20)}
        await store.write(triggers.plan_runs, held.installation.id, lambda _: many)
        others = [open_store(store_url, clock, Sealer(bytes(32))) for _ in range(2)]
        try:
            for _ in range(3):
                clock.advance(5 * MINUTE)
                claims = await asyncio.gather(
                    *(each.write(triggers.claim_due, 7) for each in (store, *others) * 4)
                )
                keys = [run.module_key for claim in claims for run in claim]
                assert sorted(keys) == sorted(many)
        finally:
            for each in others:
                await each.close()

    with_store(scenario)
