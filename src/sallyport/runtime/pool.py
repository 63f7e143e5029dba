"""Pool: the one door to app code. Calls go in, checked outcomes come out.

Crews hold the workers of one installation each; zygotes are shared between crews of equal images.
A worker is never handed from one installation to another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from sallyport.model.manifest import PYTHON_RUNTIME
from sallyport.runtime.call import Failure, Image, Invocation, Limits, Outcome, Target
from sallyport.runtime.crew import Crew
from sallyport.runtime.logs import InvocationLog, Sink
from sallyport.runtime.memory import KernelKills
from sallyport.runtime.node_nursery import NodeNursery
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.node_stock import NodeStock
from sallyport.runtime.nursery import Nursery
from sallyport.runtime.running import CapabilityHandler
from sallyport.runtime.sandbox import Driver
from sallyport.runtime.sandbox.choice import NoSandbox
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.runtime.sandbox_nursery import SandboxNursery
from sallyport.runtime.turns import Done
from sallyport.runtime.zygote import Zygote
from sallyport.vocab.clock import Clock

_TICK = 1.0
# A zygote whose modules failed to import is soon made anew: the cause may have passed.
_FAILED_ZYGOTE_IDLE_MS = 2_000
# Workers of a superseded target have no call to wait for.
_OLD_TARGET_IDLE_MS = 200


class Pool:
    """Runs invocations in worker processes. Make it and use it on one running event loop.

    `sink` gets every log line of app code; it must return at once. `capability_handler` answers
    what the app asks of the platform: it gets the call that runs in the worker which asks, as the
    platform knows it, and the request's bytes. Without a `node` program no Node app runs.
    """

    def __init__(
        self,
        driver: Driver,
        limits: Limits,
        clock: Clock,
        sink: Sink,
        capability_handler: CapabilityHandler,
        node: NodeProgram | None = None,
    ) -> None:
        self.driver = driver
        self.limits = limits
        self.clock = clock
        self.sink = sink
        self.capability_handler = capability_handler
        self.kernel_kills = KernelKills()
        self.loop = asyncio.get_running_loop()
        self._crews: dict[Target, Crew] = {}
        self._current: dict[str, Crew] = {}
        self._nurseries: dict[tuple[Image, str], Nursery] = {}
        self._node = NodeStock(self.loop, driver, node, limits.warm_node_workers)
        self._starved: dict[Crew, None] = {}
        self._reaping: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False
        self._ticker = self.loop.call_later(self._tick_seconds, self._tick)

    async def invoke(self, target: Target, call: Invocation) -> Outcome:
        """Run one call and wait for its outcome. Cancelling the wait does not stop the call."""
        future: asyncio.Future[Outcome] = self.loop.create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.submit(target, call, done)
        return await future

    def submit(self, target: Target, call: Invocation, done: Done) -> None:
        """As `invoke`, without a task: `done` is called exactly once, with the outcome.

        It may be called before `submit` returns (`busy`), and must not raise.
        """
        if isinstance(self.driver, NoSandbox):
            message = f"This host has no sandbox: {self.driver.problem}"
            InvocationLog(target, call, self.clock, self.sink).report("ERROR", message)
            done(Failure("no_sandbox", message, 0))
            return
        crew = self._current.get(target.installation_id)
        if crew is None or (crew.target is not target and crew.target != target):
            if self._closed:
                message = "The platform is stopping"
                InvocationLog(target, call, self.clock, self.sink).report("ERROR", message)
                done(Failure("busy", message, 0))
                return
            crew = self._crew_for(target)
        crew.submit(call, done)

    def expect_node(self, memory_mb: int) -> None:
        """Have Node processes of this memory size ready before the first call of a Node app."""
        self._node.expect(memory_mb)

    async def stop_installation(self, installation_id: str, *, drain: bool = True) -> None:
        """End the workers of an installation. Waiting calls get `busy`.

        With `drain`, running calls may finish within their time limits; without, they get
        `worker_lost`. Returns when nothing of the installation runs. A later call starts anew:
        whether there may be one is the gateway's decision.
        """
        self._current.pop(installation_id, None)
        crews = [
            crew for crew in self._crews.values() if crew.target.installation_id == installation_id
        ]
        for crew in crews:
            crew.refuse_waiting("The installation was stopped")
            # A call that comes while this one drains must get a crew that is not ending.
            del self._crews[crew.target]
        if drain:
            await self._until(lambda: not any(crew.busy for crew in crews))
        await self._end(crews, "its installation was stopped")

    async def close(self) -> None:
        """Let running calls finish, for a while, then end every process; once."""
        if self._closed:
            return
        self._closed = True
        self._current.clear()
        self._ticker.cancel()
        crews = list(self._crews.values())
        for crew in crews:
            crew.refuse_waiting("The platform is stopping")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.drain_ms / 1000):
                await self._until(lambda: not any(crew.busy for crew in crews))
        await self._end(crews, "the platform is stopping")
        for nursery in tuple(self._nurseries.values()):
            nursery.stop("the platform is stopping")
        await self._node.close()
        while self._reaping:
            await asyncio.wait(tuple(self._reaping))

    # ---- what crews ask for

    def nursery(self, target: Target) -> Nursery:
        """Where this target's workers come from, started if need be. Raises `OSError`."""
        image = target.image
        # Where nothing is shared between installations, not even what an import said.
        apart = isinstance(self.driver, SandboxDriver)
        key = (image, target.installation_id if apart else "")
        nursery = self._nurseries.get(key)
        if nursery is None:
            nursery = self._new_nursery(image)
            self._nurseries[key] = nursery
            self._reaping.add(nursery.reaped)
            nursery.reaped.add_done_callback(self._reaping.discard)

            def forget(nursery: Nursery = nursery) -> None:
                if self._nurseries.get(key) is nursery:
                    del self._nurseries[key]

            nursery.on_end = forget
        return nursery

    def _new_nursery(self, image: Image) -> Nursery:
        if image.runtime == PYTHON_RUNTIME:
            if isinstance(self.driver, SandboxDriver):
                return SandboxNursery(self.loop, self.driver, image)
            return Zygote(self.loop, self.driver, image, self.limits.start_ms)
        return NodeNursery(self.loop, self._node, image)

    def take_place(self, crew: Crew) -> bool:
        if self.workers < self.limits.workers:
            return True
        # The worker that has been free for the longest, of whichever installation, makes room; but
        # its place is free only when it is gone.
        self._starved[crew] = None
        free = [w for w in (c.longest_free() for c in self._crews.values()) if w is not None]
        if free:
            oldest = min(free, key=lambda worker: worker.free_since)
            self._crews[oldest.target].dismiss(oldest, "another installation needs its place")
        return False

    def place_free(self, crew: Crew) -> None:
        self._changed.set()
        if self._starved:
            starved, self._starved = list(self._starved), {}
            for waiting in starved:
                waiting.grow()

    # ---- housekeeping

    @property
    def _tick_seconds(self) -> float:
        shortest = min(self.limits.idle_ms, self.limits.zygote_idle_ms) / 2000
        return max(0.01, min(_TICK, shortest))

    def _tick(self) -> None:
        now = self.loop.time()
        self.kernel_kills.look()
        for target, crew in tuple(self._crews.items()):
            current = self._current.get(target.installation_id) is crew
            idle_ms = self.limits.idle_ms
            if not current:
                idle_ms = min(idle_ms, _OLD_TARGET_IDLE_MS)
            crew.stop_idle(now - idle_ms / 1000)
            crew.check_memory()
            if crew.empty and not current:
                del self._crews[target]
            elif crew.empty and crew.used_at < now - idle_ms / 1000:
                del self._crews[target]
                del self._current[target.installation_id]
        for nursery in tuple(self._nurseries.values()):
            idle_ms = self.limits.zygote_idle_ms
            if nursery.failures:
                idle_ms = min(idle_ms, _FAILED_ZYGOTE_IDLE_MS)
            if nursery.idle and nursery.used_at < now - idle_ms / 1000:
                nursery.stop("it was idle")
        self._ticker = self.loop.call_later(self._tick_seconds, self._tick)

    def _crew_for(self, target: Target) -> Crew:
        crew = self._crews.get(target)
        if crew is None:
            crew = self._crews[target] = Crew(self, target)
        self._current[target.installation_id] = crew
        return crew

    @property
    def workers(self) -> int:
        """How many worker processes there are or are on their way."""
        return sum(crew.size for crew in self._crews.values())

    @property
    def running(self) -> int:
        """How many workers answer a call."""
        return sum(crew.running for crew in self._crews.values())

    @property
    def waiting(self) -> int:
        """How many calls have no worker yet."""
        return sum(crew.waiting for crew in self._crews.values())

    @property
    def bundles(self) -> frozenset[Path]:
        """The bundles that processes run or are made of."""
        return frozenset(
            [
                *(crew.bundle_dir for crew in self._crews),
                *(i.bundle_dir for i, _ in self._nurseries),
            ]
        )

    async def _end(self, crews: list[Crew], reason: str) -> None:
        for crew in crews:
            crew.kill(reason)
        await self._until(lambda: all(crew.empty for crew in crews))

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._changed.clear()
            await self._changed.wait()
