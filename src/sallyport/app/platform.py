"""A platform that is open: all of it in this process, or the way in in processes beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from sallyport.app.code import AppCode, open_app_code
from sallyport.app.gateways import Gateways
from sallyport.app.operator import OwnState, Told, build_admin
from sallyport.app.public import WayIn, open_way_in
from sallyport.app.services import make_services
from sallyport.app.shared import Shared, alone
from sallyport.control.services import Services
from sallyport.control.setup import bootstrap, ensure_setup_link
from sallyport.folder import FolderLock, instance_of
from sallyport.gateway.facts import Facts
from sallyport.gateway.schedule import Scheduler
from sallyport.gateway.sources import Sources, make_sources
from sallyport.model.decision import LogLine
from sallyport.runtime.sandbox.choice import Trust
from sallyport.settings import Settings
from sallyport.store.batch import Batch
from sallyport.store.engine import Store, open_store
from sallyport.store.idempotency import interrupt_runs_of
from sallyport.store.migrations import migrate
from sallyport.store.records import add_log_lines
from sallyport.store.seal import Sealer, master_key
from sallyport.tokens.keys import Keys, open_keys
from sallyport.upkeep import kept_up
from sallyport.vocab.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that is open.

    `public` takes connections of the public port: this process, or those beside it. `setup_link` is
    None once there is an operator. `trust` says what app code runs in.
    """

    settings: Settings
    services: Services
    public: WayIn | Gateways
    admin: ASGIApp
    setup_link: str | None
    trust: Trust


@asynccontextmanager
async def open_platform(settings: Settings, *, or_plain: bool = False) -> AsyncIterator[Platform]:
    """Open the store, the keys and the runtime; close them in the opposite order.

    Where the host has no sandbox, app code does not run; with `or_plain` it runs without.

    Raises `AlreadyRunning` where another process has the data folder open.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(settings.folder):
        store = open_store(
            settings.database,
            SystemClock(),
            Sealer(master_key(settings.folder / "master.key")),
            is_shared=settings.gateways > 1,
        )
        try:
            await migrate(store)
            await bootstrap(store)
            async with _logging(store) as logs:
                keys = await open_keys(store)
                async with (
                    open_app_code(settings, store, keys, logs.add, or_plain=or_plain) as code,
                    _running(settings, store, keys, code, logs) as platform,
                ):
                    yield platform
        finally:
            await store.close()


@asynccontextmanager
async def _logging(store: Store) -> AsyncIterator[Batch[LogLine]]:
    logs: Batch[LogLine] = Batch(store, add_log_lines)
    logs.start()
    try:
        yield logs
    finally:
        await logs.close()


@asynccontextmanager
async def _running(
    settings: Settings, store: Store, keys: Keys, code: AppCode, logs: Batch[LogLine]
) -> AsyncIterator[Platform]:
    pool = code.pool
    own = OwnState(store, pool, logs)
    owner, shared = instance_of(settings.folder), alone(settings, store)
    services = make_services(
        settings,
        store,
        keys,
        shared,
        stop_installation=pool.stop_installation,
        node=code.node,
        processes=own.processes,
    )
    await store.write(interrupt_runs_of, owner)
    if settings.gateways == 1:
        opening = _alone(settings, services, keys, own, owner, shared)
    else:
        opening = _several(Gateways(settings, store, keys, pool, owner, own.processes), settings)
    async with opening as front:
        scheduler = Scheduler(
            store,
            front.facts,
            front.sources,
            pool.invoke,
            at_once=settings.scheduled_runs_at_once,
        )
        scheduler.start()
        try:
            async with kept_up(services, keys, pool, settings):
                yield Platform(
                    settings=settings,
                    services=services,
                    public=front.public,
                    admin=build_admin(store, own, front.told),
                    setup_link=await ensure_setup_link(services),
                    trust=code.trust,
                )
        finally:
            await scheduler.close()
            # What runs ends with the pool; what it leads to is recorded before the way in closes.
            await pool.close()
            await scheduler.settle()


@dataclass(frozen=True, slots=True)
class _Front:
    """What takes connections, and what this process knows beside that."""

    public: WayIn | Gateways
    facts: Facts
    sources: Sources
    told: Told


@asynccontextmanager
async def _alone(
    settings: Settings, services: Services, keys: Keys, own: OwnState, owner: str, shared: Shared
) -> AsyncIterator[_Front]:
    async with open_way_in(settings, services, keys, own.pool, owner, shared) as way_in:
        own.way_in = way_in
        yield _Front(way_in, way_in.facts, way_in.policy.sources, Told())


@asynccontextmanager
async def _several(gateways: Gateways, settings: Settings) -> AsyncIterator[_Front]:
    async with gateways.following():
        told = Told(gateways.problems, gateways.exposition)
        yield _Front(gateways, Facts(gateways.store), make_sources(settings.bundles), told)
