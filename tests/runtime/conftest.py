"""A pool of real processes for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_world import Play, Scenario, World, no_capability
from sqlalchemy import insert

from sallyport.capabilities.serve import Capabilities
from sallyport.manifest.stored import to_json
from sallyport.model.decision import LogLine
from sallyport.model.manifest import Entity, EntityIndex, Manifest, Runtime
from sallyport.runtime.call import Limits
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import CapabilityHandler
from sallyport.runtime.sandbox import PlainDriver
from sallyport.store import schema as tables
from sallyport.store.engine import Tx, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs an async scenario in a world of its own: `play(scenario, queue_ms=50)`."""

    def run(
        scenario: Scenario,
        capability_handler: CapabilityHandler = no_capability,
        **limits: int,
    ) -> None:
        async def go() -> None:
            faults: list[dict[str, Any]] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _loop, fault: faults.append(fault))
            lines: list[LogLine] = []
            pool = Pool(
                PlainDriver(), Limits(**limits), SystemClock(), lines.append, capability_handler
            )
            try:
                await scenario(World(tmp_path, pool, lines))
            finally:
                await pool.close()
            assert faults == []

        asyncio.run(go())

    return run


INSTALLATIONS = ("installation-1", "installation-2")
EMPLOYEE = Entity(
    "employee", (("age", "integer"), ("city", "string")), (EntityIndex("by-age", ("age",)),)
)


@pytest.fixture
def with_kvs(tmp_path: Path, play: Play) -> Callable[[Scenario], None]:
    """Plays a scenario with a store behind the capability socket."""
    store = open_store(f"sqlite:///{tmp_path}/kv.db", SystemClock(), Sealer(bytes(32)))

    async def prepare(tx: Tx) -> None:
        await tx.run(insert(tables.organization).values(id="o", name="o", created_at=0))
        for product in ("one", "two"):
            await tx.run(insert(tables.product).values(key=product, name=product))
        await tx.run(
            insert(tables.site).values(
                id="s", organization_id="o", host="s.test", name="s", created_at=0
            )
        )
        await tx.run(insert(tables.app).values(id="a", name="a", created_at=0))
        await tx.run(
            insert(tables.environment).values(id="e", app_id="a", key="development", created_at=0)
        )
        await tx.run(
            insert(tables.version).values(
                id="v",
                environment_id="e",
                major=1,
                minor=1,
                manifest=to_json(Manifest(None, None, Runtime("python3"), entities=(EMPLOYEE,))),
                bundle="0" * 64,
                created_at=0,
            )
        )
        for id, product in zip(INSTALLATIONS, ("one", "two"), strict=True):
            await tx.run(
                insert(tables.installation).values(
                    id=id, site_id="s", environment_id="e", product=product, major=1, created_at=0
                )
            )

    def run(scenario: Scenario) -> None:
        async def go(world: World) -> None:
            try:
                await migrate(store)
                await store.write(prepare)
                await scenario(world)
            finally:
                await store.close()

        play(go, Capabilities(store).handle)

    return run
