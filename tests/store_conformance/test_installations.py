"""Installations, the switch, and how all that hangs on them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from registry_world import (
    audited,
    consent,
    deploy,
    facts,
    install,
    major,
    refusals,
    rows,
    seed,
)
from sqlalchemy import insert, select

from pausing import Pause
from sallyport.model.access import IntegrationLink
from sallyport.store import environments, installations, installed
from sallyport.store import schema as tables
from sallyport.store.changes import Change, Kind
from sallyport.store.consent import Consent, give_consent
from sallyport.store.engine import Reader, Store, Tx
from sallyport.store.facts import installation_facts
from sallyport.store.integrations import create_integration
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id

WithStore = Callable[..., Any]
SCOPE, ADDRESS = "read:employee:custom", "https://client.test/callback"


def test_twenty_competing_installations_make_one(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        results = await asyncio.gather(*(install(world) for _ in range(20)), return_exceptions=True)
        assert refusals(results) == [Reason.ALREADY_EXISTS] * 19
        assert await store.read(rows, tables.installation) == 1

    with_store(scenario)


def test_what_cannot_be_installed_is_refused_with_its_reason(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        with pytest.raises(Refused) as nothing_deployed:
            await install(world)
        assert nothing_deployed.value.reason is Reason.CONFLICT
        await deploy(world)
        with pytest.raises(Refused) as not_run_here:
            await install(world, "crm")
        assert not_run_here.value.reason is Reason.PRODUCT_UNKNOWN
        assert not_run_here.value.fix == "Choose one of: confluence, jira."

    with_store(scenario)


def test_facts_tell_an_unknown_app_from_one_that_is_not_installed(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        assert await store.read(installation_facts, world.site_id, new_id(), None, "jira") is None
        stranger = new_id()
        args = (world.site_id, world.app.id, stranger, "jira")
        assert await store.read(installation_facts, *args) is None
        bare = await facts(world)
        assert bare is not None
        assert (bare.installation, bare.version, bare.enabled) == (None, None, False)
        await deploy(world)
        installation_id = await install(world)
        full = await facts(world)
        assert full is not None
        assert full.installation is not None
        assert full.installation.id == installation_id
        assert full.version is not None
        assert full.version.number == "1.1"
        assert full.enabled is False
        elsewhere = await facts(world, "confluence")
        assert elsewhere is not None
        assert elsewhere.installation is None
        short = await store.read(installation_facts, world.site_id, world.app.id, None, "jira")
        assert short is not None
        assert short.environment == world.production

    with_store(scenario)


def test_an_installation_follows_minors_and_waits_for_the_upgrade_to_a_major(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)

        async def running() -> str:
            found = await facts(world)
            assert found is not None
            assert found.version is not None
            return found.version.number

        await deploy(world)
        installation_id = await install(world)
        await deploy(world)
        assert await running() == "1.2"
        await deploy(world, major)
        await deploy(world)
        assert await running() == "1.2"
        held = await store.read(installed.installation_by_id, installation_id)
        assert held is not None
        assert (held.number, held.newest_number, held.upgrade_available) == ("1.2", "2.1", True)
        heard: list[Change] = []
        store.feed.follow(heard.append)
        results = await asyncio.gather(
            *(store.write(installations.upgrade_installation, world.admin, held) for _ in range(5))
        )
        assert sorted(results) == [False] * 4 + [True]
        assert heard == [Change(Kind.INSTALLATION, f"{world.site_id}/{world.development.id}")]
        assert await running() == "2.1"

    with_store(scenario)


def test_the_switch_is_off_at_first_and_each_turn_is_told_and_audited_once(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        flip = installations.set_switch
        with pytest.raises(Refused, match="not installed"):
            await store.write(flip, world.admin, world.site_id, world.development, True)
        await install(world)
        heard: list[Change] = []
        store.feed.follow(heard.append)
        told = Change(Kind.SWITCH, f"{world.site_id}/{world.development.id}")
        assert await store.write(flip, world.admin, world.site_id, world.development, False) == (
            installed.OFF
        )
        assert heard == []
        for expected in (1, 2):
            enabled = expected == 1
            results = await asyncio.gather(
                *(
                    store.write(flip, world.admin, world.site_id, world.development, enabled)
                    for _ in range(10)
                )
            )
            assert {r.enabled for r in results} == {enabled}
            assert heard == [told] * expected
            found = await facts(world)
            assert found is not None
            assert found.enabled is enabled
        events = await store.read(audited)
        assert events.count("rest-apis:enabled") == 1
        assert events.count("rest-apis:disabled") == 1

    with_store(scenario)


def test_uninstalling_the_last_product_ends_the_switch_the_data_and_the_consents(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        first, second = await install(world), await install(world, "confluence")
        await store.write(
            installations.set_switch, world.admin, world.site_id, world.development, True
        )
        _client, grant = await consent(world)

        async def keep(tx: Tx) -> None:
            await tx.run(
                insert(tables.kv_item).values(
                    installation_id=first,
                    space="",
                    key="k",
                    value="1",
                    size=2,
                    created_at=0,
                    updated_at=0,
                )
            )

        await store.write(keep)

        async def remove(installation_id: str) -> bool:
            held = await store.read(installed.installation_by_id, installation_id)
            assert held is not None
            return await store.write(installations.remove_installation, world.admin, held)

        async def revoked_at(reader: Reader) -> int | None:
            at: int | None = await reader.scalar(select(tables.grant.c.revoked_at))
            return at

        assert await remove(first)
        assert await store.read(rows, tables.kv_item) == 0
        still = await facts(world, "confluence")
        assert still is not None
        assert still.enabled
        assert await store.read(revoked_at) is None
        heard: list[Change] = []
        store.feed.follow(heard.append)
        assert await remove(second)
        assert await store.read(revoked_at) is not None
        place = f"{world.site_id}/{world.development.id}"
        assert set(heard) == {
            Change(Kind.GRANT, grant),
            Change(Kind.INSTALLATION, place),
            Change(Kind.SWITCH, place),
        }
        await install(world)
        again = await facts(world)
        assert again is not None
        assert not again.enabled

    with_store(scenario)


def test_competing_uninstalls_of_both_products_leave_no_switch_behind(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        await install(world)
        await install(world, "confluence")
        await store.write(
            installations.set_switch, world.admin, world.site_id, world.development, True
        )
        held = await store.read(installed.installations_of_site, world.site_id)
        await asyncio.gather(
            *(store.write(installations.remove_installation, world.admin, each) for each in held)
        )
        assert await store.read(rows, tables.rest_api_switch) == 0

    with_store(scenario)


def test_deleting_an_environment_ends_all_that_hangs_on_it_and_says_so(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        installation_id = await install(world)
        await store.write(
            installations.set_switch, world.admin, world.site_id, world.development, True
        )
        client, grant = await consent(world)
        heard: list[Change] = []
        store.feed.follow(heard.append)
        ended = await store.write(
            environments.delete_environment, world.developer, world.development
        )
        assert ended == (installation_id,)
        place = f"{world.site_id}/{world.development.id}"
        assert set(heard) == {
            Change(Kind.APP, world.app.id),
            Change(Kind.VERSION, world.development.id),
            Change(Kind.VARIABLES, world.development.id),
            Change(Kind.INSTALLATION, place),
            Change(Kind.SWITCH, place),
            Change(Kind.INTEGRATION, client),
            Change(Kind.GRANT, grant),
        }
        for table in (
            tables.version,
            tables.installation,
            tables.rest_api_switch,
            tables.integration_link,
            tables.grant,
            tables.token_family,
        ):
            assert await store.read(rows, table) == 0, table.name
        assert await facts(world) is None

    with_store(scenario)


def test_installations_are_seen_by_builders_of_the_app_and_members_of_the_site_alone(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        await install(world)

        async def seen(account_id: str | None, **where: str) -> int:
            found = await store.read(installed.installations_seen_by, account_id, limit=10, **where)
            return len(found)

        for actor in (world.developer, world.admin):
            assert await seen(actor.account_id) == 1
        assert await seen(new_id()) == 0
        assert await seen(new_id(), site=world.site_id) == 0
        assert await seen(None, site="acme.test", environment="development") == 1
        assert await seen(world.admin.account_id, environment="production") == 0
        assert world.admin.account_id is not None
        through = installed.is_seen_through_a_site
        assert await store.read(through, world.admin.account_id, world.development.id)
        assert not await store.read(through, world.admin.account_id, world.production.id)
        assert not await store.read(through, new_id(), world.development.id)

    with_store(scenario)


def test_a_consent_that_meets_an_uninstallation_does_not_outlive_it(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        await deploy(world)
        held = await store.read(installed.installation_by_id, await install(world))
        assert held is not None
        link = IntegrationLink(
            world.site_id, world.app.id, world.development.id, frozenset({SCOPE}), frozenset()
        )
        account_id = world.admin.account_id
        assert account_id is not None
        integration = await store.write(
            create_integration, world.admin, account_id, "Sync", [ADDRESS], link, "0" * 64
        )
        wanted = Consent(
            integration.client_id,
            account_id,
            world.site_id,
            world.development.id,
            frozenset({SCOPE}),
            ADDRESS,
            True,
            None,
        )
        pause = Pause()

        async def remove(tx: Tx) -> None:
            await installations.remove_installation(tx, world.admin, held)
            await pause.here(tx)

        removing = asyncio.create_task(store.write(remove))
        await pause.reached()
        consenting = asyncio.create_task(
            store.write(give_consent, world.admin, wanted, "1" * 64, 60_000)
        )
        done, _ = await asyncio.wait({consenting}, timeout=0.5)
        pause.over()
        await removing
        assert done == set(), "the consent did not wait for the uninstallation"
        assert await consenting is False
        assert await store.read(rows, tables.grant) == 0

    with_store(scenario)
