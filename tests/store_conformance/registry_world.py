"""A small world for tests of the registry: one app, its developer, one site, its admin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from sallyport.model.directory import Actor
from sallyport.model.registry import App, Environment, Version
from sallyport.store import apps, installations, versions
from sallyport.store import schema as tables
from sallyport.store.engine import Reader, Store, Tx
from sallyport.store.facts import InstallationFacts, installation_facts
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id

WithStore = Callable[..., Any]


@dataclass(frozen=True)
class World:
    """One app of one developer, and one site with an admin."""

    store: Store
    app: App
    development: Environment
    production: Environment
    developer: Actor
    admin: Actor
    site_id: str


async def seed(store: Store) -> World:
    organization, site_id = new_id(), new_id()
    developer, admin = (
        Actor(new_id(), "Dee Veloper"),
        Actor(new_id(), "Ada Admin", address="192.0.2.7"),
    )

    async def directory(tx: Tx) -> None:
        now = tx.now
        await tx.run(
            insert(tables.organization).values(id=organization, name="Acme", created_at=now)
        )
        for key in ("jira", "confluence", "crm"):
            if (await tx.first(select(tables.product).where(tables.product.c.key == key))) is None:
                await tx.run(insert(tables.product).values(key=key, name=key))
        await tx.run(
            insert(tables.site).values(
                id=site_id,
                organization_id=organization,
                host="acme.test",
                name="Acme",
                created_at=now,
            )
        )
        for key in ("jira", "confluence"):
            await tx.run(insert(tables.site_product).values(site_id=site_id, product=key))
        for actor in (developer, admin):
            await tx.run(
                insert(tables.account).values(
                    id=actor.account_id,
                    email=f"{actor.account_id}@acme.test",
                    name=actor.name,
                    operator=False,
                    active=True,
                    created_at=now,
                )
            )
        await tx.run(
            insert(tables.membership).values(
                account_id=admin.account_id, site_id=site_id, role="admin", created_at=now
            )
        )

    await store.write(directory)
    app, (development, _staging, production) = await store.write(apps.add_app, developer, "People")
    return World(store, app, development, production, developer, admin, site_id)


def minor(_newest: Version | None, _registered: frozenset[str]) -> bool:
    return False


def major(_newest: Version | None, _registered: frozenset[str]) -> bool:
    return True


async def deploy(
    world: World, judge: versions.Judge = minor, environment: Environment | None = None
) -> tuple[Version, bool]:
    return await world.store.write(
        versions.add_version,
        world.developer,
        environment or world.development,
        manifest="{}",
        bundle="0" * 64,
        tag=None,
        judge=judge,
    )


async def install(world: World, product: str = "jira") -> str:
    made = await world.store.write(
        installations.add_installation, world.admin, world.site_id, world.development, product
    )
    return made.id


async def facts(world: World, product: str = "jira") -> InstallationFacts | None:
    return await world.store.read(
        installation_facts, world.site_id, world.app.id, world.development.id, product
    )


async def rows(reader: Reader, table: Any) -> int:
    return int(await reader.scalar(select(func.count()).select_from(table)))


def refusals(results: list[Any]) -> list[Reason]:
    assert all(isinstance(r, Refused) for r in results if isinstance(r, BaseException)), results
    return [r.reason for r in results if isinstance(r, Refused)]


async def audited(reader: Reader) -> list[str]:
    return [row.event for row in await reader.all(select(tables.audit.c.event))]


async def consent(world: World) -> tuple[str, str]:
    """A client and a grant with its family, as consent leaves them."""
    client, grant, family = new_id(), new_id(), new_id()

    async def write(tx: Tx) -> None:
        account_id = world.admin.account_id
        await tx.run(
            insert(tables.integration).values(
                client_id=client,
                name="Sync",
                owner_id=account_id,
                redirect_uris="[]",
                created_at=tx.now,
            )
        )
        place = {"site_id": world.site_id, "environment_id": world.development.id}
        await tx.run(
            insert(tables.integration_link).values(
                client_id=client, scopes="[]", product_scopes="[]", created_at=tx.now, **place
            )
        )
        await tx.run(
            insert(tables.grant).values(
                id=grant,
                client_id=client,
                account_id=account_id,
                scopes="[]",
                created_at=tx.now,
                **place,
            )
        )
        await tx.run(
            insert(tables.token_family).values(
                id=family,
                grant_id=grant,
                scopes="[]",
                created_at=tx.now,
                expires_at=tx.now + 1000,
            )
        )

    await world.store.write(write)
    return client, grant
