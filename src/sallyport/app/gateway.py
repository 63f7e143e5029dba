"""One of several gateway processes: the way in, on the host's database and with its workers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sallyport.app.code import node_for
from sallyport.app.public import WayIn, open_way_in
from sallyport.app.services import make_services
from sallyport.app.shared import exchanged, of_gateway
from sallyport.model.platform import ProcessState
from sallyport.observe.summing import Families, families
from sallyport.runtime.line import Line, LineEnded, Unanswered, open_line
from sallyport.runtime.remote import RemotePool
from sallyport.settings import Settings
from sallyport.store.changes import LEASE_S, Change, Kind
from sallyport.store.engine import Store, open_store
from sallyport.store.feed import Following
from sallyport.store.seal import Sealer, master_key
from sallyport.tokens.keys import Keys, load_keys
from sallyport.upkeep import keys_kept_up
from sallyport.vocab.clock import SystemClock

_MARGIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Host:
    """The host process, as one of its gateways sees it. `gone` is set when it has ended."""

    line: Line
    settings: Settings
    name: str
    index: int
    owner: str
    started_at: int
    gone: asyncio.Event


async def join(sock: socket.socket) -> Host:
    """Ask the host at the other end of the socket what to do. Raises `LineEnded`."""
    gone = asyncio.Event()
    line = Line(gone.set)
    await open_line(sock, line)
    begun = await line.ask("begin")
    return Host(
        line,
        Settings(**begun["settings"]),
        begun["name"],
        begun["index"],
        begun["owner"],
        begun["started_at"],
        gone,
    )


@asynccontextmanager
async def open_gateway(host: Host) -> AsyncIterator[WayIn]:
    """The way in, for as long as the block. Nothing of it outlives the host."""
    settings = host.settings
    store = open_store(
        settings.database,
        SystemClock(),
        Sealer(master_key(settings.folder / "master.key")),
        is_shared=True,
    )
    try:
        # Who commits a change asks this process from now on.
        await host.line.ask("follows")
        keys = await load_keys(store)
        async with (
            _following(host, store, keys),
            keys_kept_up(keys, store),
            _open(host, store, keys) as way_in,
        ):
            yield way_in
    finally:
        await store.close()


async def serves(host: Host, way_in: WayIn) -> None:
    """Tell the host that connections are taken, and from now on how it goes."""
    feed = way_in.store.feed

    async def state() -> dict[str, Any]:
        recorder = way_in.recorder
        return {
            "is_behind": feed.is_behind,
            "at": way_in.store.clock.now(),
            "lag_ms": feed.lag_ms,
            "facts": len(way_in.facts),
            "dropped": recorder.dropped + recorder.uncounted,
        }

    async def measures() -> Families:
        way_in.measure()
        return families()

    host.line.answers.update(state=state, metrics=measures)
    await host.line.ask("ready")


@asynccontextmanager
async def _open(host: Host, store: Store, keys: Keys) -> AsyncIterator[WayIn]:
    settings, line = host.settings, host.line
    pool = RemotePool(line, lambda: store.feed.fresh_until)
    ending = asyncio.create_task(_end_with(host, pool), name="host")
    shared = of_gateway(settings, line, host.started_at)
    services = make_services(
        settings,
        store,
        keys,
        shared,
        stop_installation=pool.stop_installation,
        node=await asyncio.to_thread(node_for, settings),
        processes=lambda: _processes(line),
    )
    try:
        async with (
            exchanged(shared, line),
            open_way_in(settings, services, keys, pool, host.owner, shared) as way_in,
        ):
            yield way_in
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def _processes(line: Line) -> tuple[ProcessState, ...]:
    return tuple(ProcessState(**each) for each in await line.ask("processes"))


async def _end_with(host: Host, pool: RemotePool) -> None:
    await host.gone.wait()
    pool.end()


@asynccontextmanager
async def _following(host: Host, store: Store, keys: Keys) -> AsyncIterator[None]:
    async def prepare(changes: Sequence[Change]) -> None:
        if any(change.kind is Kind.KEYS for change in changes):
            await keys.reload(store)

    following = Following(store, prepare)
    started = asyncio.Event()

    async def catch_up() -> None:
        await started.wait()
        await following.catch_up()

    host.line.answers["catch_up"] = catch_up
    await following.start()
    # They may have changed between the first look and the start of following.
    await keys.reload(store)
    started.set()
    store.feed.confirm = lambda: _confirm(host.line)
    try:
        yield
    finally:
        await following.close()


async def _confirm(line: Line) -> None:
    """Wait until every other process knows what was committed, or relies on nothing old."""
    deadline = time.monotonic() + LEASE_S + _MARGIN_S
    try:
        async with asyncio.timeout(LEASE_S + _MARGIN_S):
            await line.ask("confirm")
    except (LineEnded, Unanswered, TimeoutError):
        await asyncio.sleep(max(0.0, deadline - time.monotonic()))
