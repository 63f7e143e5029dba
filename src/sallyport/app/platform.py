"""A platform that is open: everything in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from sallyport.app.code import AppCode, open_app_code
from sallyport.app.operator import OwnState, build_admin
from sallyport.app.provider import make_provider
from sallyport.app.public import open_way_in
from sallyport.control.attempts import Attempts
from sallyport.control.services import Services
from sallyport.control.setup import bootstrap, ensure_setup_link
from sallyport.folder import FolderLock, instance_of
from sallyport.gateway.protocol import Door
from sallyport.gateway.schedule import Scheduler
from sallyport.model.decision import LogLine
from sallyport.model.platform import LimitSetting
from sallyport.runtime.resolve import Resolver
from sallyport.runtime.sandbox.choice import Trust
from sallyport.settings import Settings, limits_of
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

    `door` makes the protocol of connections, which answers calls in front of `asgi`. `setup_link`
    is None once there is an operator. `trust` says what app code runs in.
    """

    settings: Settings
    services: Services
    asgi: ASGIApp
    door: Door
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
            settings.database, SystemClock(), Sealer(master_key(settings.folder / "master.key"))
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
    services = Services(
        store,
        settings.address,
        settings.bundles,
        pool.stop_installation,
        attempts=Attempts(settings.sign_in_attempts),
        provider=make_provider(settings),
        resolver=Resolver(settings.package_index),
        node=code.node,
        reload_keys=lambda: keys.reload(store),
        processes=own.processes,
        limits=tuple(LimitSetting(*each) for each in limits_of(settings)),
    )
    owner = instance_of(settings.folder)
    await store.write(interrupt_runs_of, owner)
    async with open_way_in(settings, services, keys, pool, owner) as way_in:
        own.way_in = way_in
        scheduler = Scheduler(
            store,
            way_in.facts,
            way_in.policy.sources,
            pool.invoke,
            at_once=settings.scheduled_runs_at_once,
        )
        scheduler.start()
        try:
            async with kept_up(services, keys, pool, settings):
                yield Platform(
                    settings=settings,
                    services=services,
                    asgi=way_in.asgi,
                    door=way_in.door,
                    admin=build_admin(store, way_in, logs, pool),
                    setup_link=await ensure_setup_link(services),
                    trust=code.trust,
                )
        finally:
            await scheduler.close()
            # What runs ends with the pool; what it leads to is recorded before the way in closes.
            await pool.close()
            await scheduler.settle()
