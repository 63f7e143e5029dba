"""The stock: Node processes kept warm, of no app yet, so that none is waited for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from sallyport.runtime.node_process import NodeProcess
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.sandbox import Driver

# A new one is started when the call that took the last has had the processors for a while.
_REFILL_AFTER_S = 0.25
_MOST_SIZES = 2


class NodeStock:
    """Hands out processes, each once. `warm` are kept for each of the last memory sizes asked for.

    Unless it was told to `expect` it, the first app that asks finds the stock empty and waits for
    its process to start.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        driver: Driver,
        program: NodeProgram | None,
        warm: int,
    ) -> None:
        self._loop = loop
        self._driver = driver
        self._program = program
        self._warm = warm
        self._ready: OrderedDict[int, deque[NodeProcess]] = OrderedDict()
        self._living: set[NodeProcess] = set()
        self._all_gone = asyncio.Event()
        self._refill_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, memory_mb: int) -> NodeProcess:
        """A process of this memory size, warm if there is one. Raises `OSError`."""
        ready = self._ready_of(memory_mb)
        taken = None
        while ready and taken is None:
            first = ready.popleft()
            taken = first if first.alive else None
        if taken is None:
            taken = self._new(memory_mb)
        self._refill_soon()
        return taken

    def expect(self, memory_mb: int) -> None:
        """Fill the stock for apps of this memory size."""
        if self._program is not None:
            self._ready_of(memory_mb)
            self._refill_soon()

    async def close(self) -> None:
        """End every process that is left and wait until it is gone."""
        self._closed = True
        if self._refill_timer is not None:
            self._refill_timer.cancel()
        for memory_mb in tuple(self._ready):
            self._forget(memory_mb)
        while self._living:
            self._all_gone.clear()
            await self._all_gone.wait()

    def _refill_soon(self) -> None:
        if self._refill_timer is None and not self._closed:
            self._refill_timer = self._loop.call_later(_REFILL_AFTER_S, self._refill)

    def _refill(self) -> None:
        self._refill_timer = None
        for memory_mb, ready in self._ready.items():
            if len(ready) < self._warm:
                try:
                    ready.append(self._new(memory_mb))
                except OSError:
                    # Whoever takes one next tries again, and is told.
                    return
                # One at a time: starting Node takes a processor for a while.
                self._refill_soon()
                return

    def _ready_of(self, memory_mb: int) -> deque[NodeProcess]:
        ready = self._ready.setdefault(memory_mb, deque())
        self._ready.move_to_end(memory_mb)
        while len(self._ready) > _MOST_SIZES:
            self._forget(next(iter(self._ready)))
        return ready

    def _forget(self, memory_mb: int) -> None:
        for process in self._ready.pop(memory_mb):
            process.dismiss()

    def _new(self, memory_mb: int) -> NodeProcess:
        if self._program is None:
            raise OSError(0, "there is no Node on this host that can be used")
        if self._closed:
            raise OSError(0, "the platform is stopping")
        made = NodeProcess(self._loop, self._driver, self._program, memory_mb, self._exited)
        self._living.add(made)
        return made

    def _exited(self, process: NodeProcess) -> None:
        self._living.discard(process)
        for ready in self._ready.values():
            if process in ready:
                ready.remove(process)
                process.dismiss()
        if not self._living:
            self._all_gone.set()
