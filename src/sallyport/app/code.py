"""What runs app code: the pool with its driver, its Node and what apps may ask the platform for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sallyport.capabilities.fetch import Fetch
from sallyport.capabilities.product import ProductApis
from sallyport.capabilities.sending import Sender
from sallyport.capabilities.serve import Capabilities
from sallyport.model.manifest import DEFAULT_MEMORY_MB
from sallyport.runtime.call import Limits
from sallyport.runtime.logs import Sink
from sallyport.runtime.node_process import SCRIPTS
from sallyport.runtime.node_program import NodeProgram, NoNode, find_node
from sallyport.runtime.pool import Pool
from sallyport.runtime.sandbox import Driver
from sallyport.runtime.sandbox.choice import (
    Examination,
    Trust,
    as_wanted,
    choose_driver,
    examine,
    trust_in,
)
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.settings import Settings
from sallyport.store.engine import Store
from sallyport.tokens.keys import Keys

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AppCode:
    """Where app code runs. `trust` says what it runs in; without `node` no Node app does."""

    pool: Pool
    node: NodeProgram | None
    trust: Trust


@asynccontextmanager
async def open_app_code(
    settings: Settings, store: Store, keys: Keys, sink: Sink, *, or_plain: bool
) -> AsyncIterator[AppCode]:
    """The pool for as long as the block; what runs then may finish, for a while.

    Where the host has no sandbox, app code does not run; with `or_plain` it runs without.
    """
    upstreams, outside = Sender(checked=None), Sender(checked=settings.fetch_networks)
    node = await asyncio.to_thread(node_for, settings)
    wanted = as_wanted(settings.runtime_driver)
    driver: Driver = await asyncio.to_thread(
        choose_driver, wanted, _readable(node), or_plain=or_plain
    )
    pool = Pool(
        driver,
        Limits(
            workers_per_installation=settings.workers_per_installation,
            workers=settings.app_workers,
            queue_per_installation=settings.queue_per_installation,
            queue_ms=settings.queue_ms,
            warm_node_workers=settings.warm_node_workers,
        ),
        store.clock,
        sink,
        Capabilities(
            store,
            {
                "product": ProductApis(store, keys, settings.address, upstreams),
                "fetch": Fetch(outside),
            },
            most_bytes=settings.app_data_mb * 1024 * 1024,
        ).handle,
        node,
    )
    if await asyncio.to_thread(_has_node_apps, settings.bundles):
        pool.expect_node(DEFAULT_MEMORY_MB)
    try:
        yield AppCode(pool, node, trust_in(driver))
    finally:
        await pool.close()
        driver.close()
        await upstreams.close()
        await outside.close()


def examine_host(settings: Settings) -> Examination:
    """What this host can hold app code to; for `sallyport doctor`."""
    driver = SandboxDriver(_readable(node_for(settings)))
    try:
        return examine(driver)
    finally:
        driver.close()


def node_of_host(settings: Settings) -> str:
    """Which Node runs Node apps here, or why none does, in a sentence; for `sallyport doctor`."""
    try:
        node = find_node(settings.node)
    except NoNode as reason:
        return f"Node apps do not run here. {reason}"
    return f"Node apps run on Node {node.version}, {node.path}."


def node_for(settings: Settings) -> NodeProgram | None:
    """The Node that runs Node apps; without one the platform runs all other apps."""
    try:
        return find_node(settings.node)
    except NoNode as reason:
        _log.log(logging.WARNING if settings.node else logging.INFO, "no Node apps: %s", reason)
        return None


def _has_node_apps(bundles: Path) -> bool:
    return next(bundles.glob("*/dist/**/*.cjs"), None) is not None


def _readable(node: NodeProgram | None) -> tuple[Path, ...]:
    """What sandboxes show besides Python."""
    return () if node is None else (node.path, SCRIPTS)
