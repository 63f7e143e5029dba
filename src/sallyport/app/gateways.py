"""Gateways: the gateway processes of a host, kept running, told of changes, asked how they are.

docs/decisions/0014-several-gateways.md says what each process owns and what holds when one is
stopped, killed or slow.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from sallyport.app.shared import Shared, answer_from, of_host
from sallyport.app.shares import make_shares
from sallyport.model.platform import ProcessState
from sallyport.observe.summing import Families, Sums
from sallyport.runtime.line import Line, LineEnded, Unanswered, open_line
from sallyport.runtime.pool import Pool
from sallyport.runtime.served import serve_calls
from sallyport.settings import Settings
from sallyport.store.changes import LEASE_S, Change, Kind
from sallyport.store.engine import Store
from sallyport.store.feed import Following
from sallyport.store.idempotency import interrupt_runs_of
from sallyport.tokens.keys import Keys

_MARGIN_S: Final = 0.05
_ASKED_EVERY_S: Final = 1.0
_SILENT_S: Final = 10.0
_END_S: Final = 20.0
_SHORT_LIFE_S: Final = 5.0

Processes = Callable[[], Awaitable[tuple[ProcessState, ...]]]

_log = logging.getLogger(__name__)


class GatewayEnded(Exception):
    """A gateway process ended before it took its first connection."""


@dataclass(eq=False, slots=True)
class _Process:
    name: str
    started_at: int
    line: Line = field(default_factory=Line)
    child: subprocess.Popen[bytes] | None = None
    heard_at: float = field(default_factory=time.monotonic)
    is_following: bool = False
    is_ready: bool = False


class Gateways:
    """`running` starts the processes; `confirm` is what a change waits for before it is told."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        keys: Keys,
        pool: Pool,
        owner: str,
        host: Processes,
    ) -> None:
        self._settings = settings
        self.store = store
        self._keys = keys
        self._pool = pool
        self._owner = owner
        self._host = host
        self._names = [f"gateway-{number}" for number in range(1, settings.gateways + 1)]
        self._started_at = store.clock.now()
        self._shared: Shared = of_host(settings, store)
        self._following = Following(store, self._prepare)
        self._processes: dict[str, _Process] = {}
        self._sums = Sums()
        self._command: Sequence[str] = ()
        self._listener: socket.socket | None = None
        self._counts, self._shares = make_shares(settings.gateways)
        self._stopping = False
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow what gateway processes commit, for as long as the block."""
        await self._following.start()
        self.store.feed.confirm = self.confirm
        try:
            yield
        finally:
            self.store.feed.confirm = None
            await self._following.close()
            os.close(self._counts)

    @asynccontextmanager
    async def running(self, command: Sequence[str], listener: socket.socket) -> AsyncIterator[None]:
        """Have the processes take connections of `listener` for as long as the block.

        `command` starts one; it is given the numbers of three open files: its line to this process,
        the listener, and the counts of `Shares`. Raises `GatewayEnded` where one ends before all
        have started.
        """
        self._command, self._listener = command, listener
        keeping = [asyncio.create_task(self._keep(name), name=name) for name in self._names]
        watching = asyncio.create_task(self._watch(), name="gateways")
        try:
            while not all(self._is_ready(name) for name in self._names):
                for task in keeping:
                    if task.done():
                        task.result()
                self._moved.clear()
                await self._moved.wait()
            yield
        finally:
            self._stopping = True
            watching.cancel()
            await asyncio.gather(*(self._stop(each) for each in tuple(self._processes.values())))
            await asyncio.gather(watching, *keeping, return_exceptions=True)

    async def confirm(self, but: _Process | None = None) -> None:
        """Wait until every process knows what was committed before, or relies on nothing old."""
        deadline = time.monotonic() + LEASE_S + _MARGIN_S
        asked = [each for each in self._processes.values() if each.is_following and each is not but]
        await asyncio.gather(
            self._catch_up(deadline), *(self._have_known(each, deadline) for each in asked)
        )

    async def problems(self) -> list[str]:
        """What keeps a process from serving, in words; empty where all serve."""
        states = await asyncio.gather(*(self._state(name) for name in self._names))
        problems = []
        for name, state in zip(self._names, states, strict=True):
            if state is None:
                problems.append(f"{name} does not answer")
            elif state["is_behind"]:
                problems.append(f"{name} is not up to date")
        return problems

    async def processes(self) -> tuple[ProcessState, ...]:
        """How each process stands that answers, this one first."""
        (host,) = await self._host()
        found = [host]
        for name in self._names:
            process, state = self._processes.get(name), await self._state(name)
            if process is None or process.child is None or state is None:
                continue
            found.append(
                replace(
                    host,
                    pid=process.child.pid,
                    at=state["at"],
                    started_at=process.started_at,
                    lag_ms=state["lag_ms"],
                    workers=0,
                    busy=0,
                    waiting=0,
                    facts=state["facts"],
                    dropped=state["dropped"],
                )
            )
        return tuple(found)

    async def exposition(self) -> bytes:
        """The metrics of all processes, in the Prometheus text format."""
        await asyncio.gather(*(self._measure(each) for each in tuple(self._processes.values())))
        return self._sums.exposition()

    # ---- one process

    async def _keep(self, name: str) -> None:
        has_served = False
        while not self._stopping:
            process = _Process(name, self.store.clock.now())
            self._processes[name] = process
            began = time.monotonic()
            await self._live(process)
            has_served = has_served or process.is_ready
            del self._processes[name]
            self._shares.leave(self._names.index(name))
            self._sums.keep(name)
            await self._interrupt(name)
            self._moved.set()
            assert process.child is not None
            if not has_served and not self._stopping:
                raise GatewayEnded(f"{name} ended with {process.child.returncode}")
            if not self._stopping:
                _log.warning(
                    "%s ended with %s and is started again", name, process.child.returncode
                )
                if time.monotonic() < began + _SHORT_LIFE_S:
                    await asyncio.sleep(1)

    async def _live(self, process: _Process) -> None:
        """Start a process and wait for its end."""
        assert self._listener is not None
        ours, theirs = socket.socketpair()
        with theirs:
            files = (theirs.fileno(), self._listener.fileno(), self._counts)
            process.child = child = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
                [*self._command, *map(str, files)],
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        ended = asyncio.Event()
        loop, pidfd = asyncio.get_running_loop(), os.pidfd_open(child.pid)
        loop.add_reader(pidfd, ended.set)
        self._answer(process)
        await open_line(ours, process.line)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
            child.wait()
            process.line.close()

    def _answer(self, process: _Process) -> None:
        line, store = process.line, self.store

        async def begin() -> dict[str, Any]:
            return {
                "settings": asdict(self._settings),
                "name": process.name,
                "index": self._names.index(process.name),
                "owner": f"{self._owner}/{process.name}",
                "started_at": self._started_at,
            }

        async def follows() -> None:
            process.is_following = True

        async def ready() -> None:
            process.is_ready = True
            self._moved.set()

        async def confirm() -> None:
            await self.confirm(process)

        async def processes() -> list[dict[str, Any]]:
            return [asdict(each) for each in await self.processes()]

        async def stop_installation(installation_id: str) -> None:
            await self._pool.stop_installation(installation_id)

        async def taken(charged: list[Any]) -> None:
            self._shared.add(charged)
            others = [each for each in self._processes.values() if each is not process]
            await asyncio.gather(*(_tell(each, charged) for each in others))

        line.answers.update(
            begin=begin,
            follows=follows,
            ready=ready,
            confirm=confirm,
            processes=processes,
            stop_installation=stop_installation,
            taken=taken,
        )
        answer_from(self._shared, store, line)
        serve_calls(self._pool, line)

    async def _stop(self, process: _Process) -> None:
        """Have a process finish what it has begun; it is killed where that takes too long."""
        child = process.child
        assert child is not None
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while self._processes.get(process.name) is process:
            if time.monotonic() >= deadline:
                child.kill()
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._moved.wait()

    async def _interrupt(self, name: str) -> None:
        """What a process claimed and did not settle, nobody will."""
        try:
            await self.store.write(interrupt_runs_of, f"{self._owner}/{name}")
        except Exception:
            _log.exception("the runs that %s left could not be marked", name)

    # ---- all of them

    def _is_ready(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.is_ready

    async def _watch(self) -> None:
        """Kill a process that has been silent for long: it may hold what others wait for."""
        while True:
            await asyncio.sleep(_ASKED_EVERY_S)
            for process in tuple(self._processes.values()):
                if not process.is_ready or process.child is None:
                    process.heard_at = time.monotonic()
                elif process.heard_at < time.monotonic() - _SILENT_S:
                    _log.error("%s has not answered for %d s", process.name, _SILENT_S)
                    process.child.kill()
            asked = [self._state(name) for name in tuple(self._processes)]
            await asyncio.gather(*asked)

    async def _state(self, name: str) -> dict[str, Any] | None:
        """What a process says of itself; None where it does not answer."""
        process = self._processes.get(name)
        if process is None or not process.is_ready:
            return None
        with suppress(LineEnded, Unanswered, TimeoutError):
            async with asyncio.timeout(_ASKED_EVERY_S):
                state: dict[str, Any] = await process.line.ask("state")
            process.heard_at = time.monotonic()
            return state
        return None

    async def _measure(self, process: _Process) -> None:
        with suppress(LineEnded, Unanswered, TimeoutError):
            async with asyncio.timeout(_ASKED_EVERY_S):
                families: Families = await process.line.ask("metrics")
            self._sums.put(process.name, families)

    # ---- changes

    async def _prepare(self, changes: Sequence[Change]) -> None:
        if any(change.kind is Kind.KEYS for change in changes):
            await self._keys.reload(self.store)

    async def _catch_up(self, deadline: float) -> None:
        try:
            await self._following.catch_up()
        except Exception:
            _log.exception("the change feed could not be read")
            await asyncio.sleep(max(0.0, deadline - time.monotonic()))

    async def _have_known(self, process: _Process, deadline: float) -> None:
        """Wait until a process knows, or is gone, or relies on nothing that it knew before."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await process.line.ask("catch_up")
        except (LineEnded, TimeoutError):
            return
        except Unanswered:
            await asyncio.sleep(max(0.0, deadline - time.monotonic()))


async def _tell(process: _Process, charged: list[Any]) -> None:
    if process.is_following:
        with suppress(LineEnded, Unanswered, TimeoutError):
            async with asyncio.timeout(_ASKED_EVERY_S):
                await process.line.ask("add_taken", charged)
