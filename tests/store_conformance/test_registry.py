"""What the registry's verbs promise: numbers, limits and texts hold under races."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from registry_world import (
    deploy,
    major,
    minor,
    refusals,
    seed,
)
from sqlalchemy import insert, select

from sallyport.model.registry import AppRole, CustomScope, Environment, Variable, Version
from sallyport.store import apps, environments, versions
from sallyport.store import schema as tables
from sallyport.store.engine import Store, Tx
from sallyport.store.facts import variables_of
from sallyport.store.seal import Unsealable
from sallyport.vocab.errors import Reason, Refused

WithStore = Callable[..., Any]


def test_an_app_is_born_with_its_three_environments_and_its_maker_as_admin(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        found = await store.read(environments.environments_of, world.app.id)
        assert [each.key for each in found] == ["development", "staging", "production"]
        assert world.developer.account_id is not None
        mine = await store.read(apps.apps_of, world.developer.account_id)
        assert mine == ((world.app, AppRole.ADMIN),)

    with_store(scenario)


def test_fifty_competing_deployments_get_fifty_numbers_in_a_row(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        made = await asyncio.gather(*(deploy(world) for _ in range(50)))
        assert sorted((v.major, v.minor) for v, _ in made) == [(1, n) for n in range(1, 51)]

    with_store(scenario)


def test_versions_are_numbered_per_environment_as_1_1_then_1_2_then_2_0(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        made = [await deploy(world, judge) for judge in (major, minor, major, minor)]
        assert [(v.number, new_major) for v, new_major in made] == [
            ("1.1", False),
            ("1.2", False),
            ("2.0", True),
            ("2.1", False),
        ]
        other, _ = await deploy(world, environment=world.production)
        assert other.number == "1.1"
        listed = await store.read(versions.versions_of, world.development.id, 10)
        assert [(v.number, v.live) for v in listed] == [
            ("2.1", True),
            ("2.0", False),
            ("1.2", True),
            ("1.1", False),
        ]
        numbers = await store.read(
            versions.newest_numbers, [world.development.id, world.production.id]
        )
        assert numbers == {world.development.id: "2.1", world.production.id: "1.1"}

    with_store(scenario)


def test_the_judge_sees_the_scopes_registered_when_the_number_is_taken(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        seen: list[frozenset[str]] = []

        def judge(_newest: Version | None, registered: frozenset[str]) -> bool:
            seen.append(registered)
            raise Refused(Reason.SCOPES_NOT_REGISTERED, "missing")

        scope = CustomScope("read:employee:custom", "Read", None)
        await store.write(
            environments.register_scopes, world.developer, world.development, [scope], 20
        )
        with pytest.raises(Refused, match="missing"):
            await deploy(world, judge)
        assert seen[-1] == {"read:employee:custom"}
        assert await store.read(versions.newest_version, world.development.id) is None

    with_store(scenario)


def test_competing_registrations_never_pass_twenty_scopes(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)

        async def register(batch: int) -> environments.Registration:
            scopes = [CustomScope(f"read:n{batch}x{n}:custom", "Read", None) for n in range(3)]
            return await store.write(
                environments.register_scopes, world.developer, world.development, scopes, 20
            )

        results = await asyncio.gather(*(register(n) for n in range(10)), return_exceptions=True)
        assert refusals(results) == [Reason.SCOPES_INVALID] * 4
        assert len(await store.read(environments.scopes_of, world.development.id)) == 18

    with_store(scenario)


def test_registering_again_changes_texts_and_takes_nothing_away(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        read, write = (
            CustomScope("read:employee:custom", "Read", None),
            CustomScope("write:employee:custom", "Write", "Write employees"),
        )
        verb = environments.register_scopes
        await store.write(verb, world.developer, world.development, [read, write], 20)
        clearer = CustomScope(read.name, "Read names and places of work", "Read employees")
        done = await store.write(verb, world.developer, world.development, [clearer], 20)
        assert done == environments.Registration((), (read.name,), ())
        again = await store.write(verb, world.developer, world.development, [clearer], 20)
        assert again == environments.Registration((), (), (read.name,))
        held = await store.read(environments.scopes_of, world.development.id)
        assert held == (clearer, write)
        assert await store.read(environments.scopes_of, world.production.id) == ()

    with_store(scenario)


def test_a_variable_is_sealed_to_its_place_and_a_secret_one_is_never_listed(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        for variable in (Variable("REGION", "eu", False), Variable("KEY", "hunter2", True)):
            await store.write(
                environments.set_variable, world.developer, world.development, variable, 100
            )
        listed = await store.read(environments.list_variables, world.development.id)
        assert listed == (Variable("KEY", None, True), Variable("REGION", "eu", False))
        opened = await store.read(variables_of, world.development.id)
        assert [(v.key, v.value) for v in opened] == [("KEY", "hunter2"), ("REGION", "eu")]

        async def move(tx: Tx) -> None:
            sealed = await tx.scalar(
                select(tables.variable.c.sealed).where(tables.variable.c.key == "KEY")
            )
            assert b"hunter2" not in sealed
            await tx.run(
                insert(tables.variable).values(
                    environment_id=world.production.id,
                    key="KEY",
                    sealed=sealed,
                    secret=False,
                    updated_at=tx.now,
                )
            )

        await store.write(move)
        with pytest.raises(Unsealable):
            await store.read(variables_of, world.production.id)

    with_store(scenario)


def test_competing_variables_never_pass_the_limit_and_setting_one_again_is_no_other(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)

        async def put(key: str, value: str) -> None:
            await store.write(
                environments.set_variable,
                world.developer,
                world.development,
                Variable(key, value, False),
                5,
            )

        results = await asyncio.gather(
            *(put(f"K{n}", "1") for n in range(12)), return_exceptions=True
        )
        assert refusals(results) == [Reason.CONFLICT] * 7
        held = await store.read(environments.list_variables, world.development.id)
        await put(held[0].key, "2")
        assert len(await store.read(variables_of, world.development.id)) == 5
        unset = environments.unset_variable
        assert await store.write(unset, world.developer, world.development, held[0].key)
        assert not await store.write(unset, world.developer, world.development, held[0].key)

    with_store(scenario)


def test_competing_environments_of_one_name_make_one_and_the_limit_holds(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)

        async def add(key: str) -> Environment:
            return await store.write(
                environments.add_environment, world.developer, world.app.id, key, 6
            )

        same = await asyncio.gather(*(add("qa") for _ in range(8)), return_exceptions=True)
        assert refusals(same) == [Reason.ALREADY_EXISTS] * 7
        many = await asyncio.gather(*(add(f"qa{n}") for n in range(8)), return_exceptions=True)
        assert refusals(many) == [Reason.CONFLICT] * 6

    with_store(scenario)


def test_two_admins_that_remove_each_other_leave_one(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        developer, admin = world.developer, world.admin
        assert developer.account_id is not None
        assert admin.account_id is not None
        verb = apps.set_app_role
        await store.write(verb, developer, world.app.id, admin.account_id, AppRole.ADMIN)
        results = await asyncio.gather(
            store.write(verb, developer, world.app.id, admin.account_id, None),
            store.write(verb, admin, world.app.id, developer.account_id, AppRole.CONTRIBUTOR),
            return_exceptions=True,
        )
        assert refusals(results) == [Reason.CONFLICT]
        roles = [each.role for each in await store.read(apps.app_members, world.app.id)]
        assert roles.count(AppRole.ADMIN) == 1

    with_store(scenario)
