"""RemotePool: the pool of the host process, as a gateway process sees it."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sallyport.runtime import line as kinds
from sallyport.runtime.call import Failure, Invocation, Outcome, Target
from sallyport.runtime.frames import Frame, split
from sallyport.runtime.line import Line
from sallyport.runtime.turns import Done
from sallyport.runtime.wire import read_answer, read_failure, write_call, write_target

MOST_UNSENT: Final = 256 * 1024 * 1024
MOST_CALLS: Final = 20_000
MOST_TARGETS: Final = 10_000


class RemotePool:
    """Runs invocations in the host's workers, as `Pool` does in its own.

    `fresh_until` says until when what calls are decided from may be relied on; the host starts none
    after that. Where the host is far behind, calls are `busy`.
    """

    def __init__(self, line: Line, fresh_until: Callable[[], float]) -> None:
        self._line = line
        self._fresh_until = fresh_until
        self._waiting: dict[int, Done] = {}
        self._last_call = 0
        # The target is held too, so that no other gets its identity.
        self._targets: OrderedDict[int, tuple[Target, int]] = OrderedDict()
        self._last_target = 0
        line.frames[kinds.RESULT] = self._answered
        line.frames[kinds.FAILURE] = self._failed

    async def invoke(self, target: Target, call: Invocation) -> Outcome:
        """Run one call and wait for its outcome. Cancelling the wait does not stop the call."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.submit(target, call, done)
        return await future

    def submit(self, target: Target, call: Invocation, done: Done) -> None:
        """As `invoke`, without a task: `done` is called exactly once, and must not raise."""
        line = self._line
        if line.ended or len(self._waiting) >= MOST_CALLS or line.unsent > MOST_UNSENT:
            done(Failure("busy", "The process that runs app code cannot take the call", 0))
            return
        fresh_until = self._fresh_until()
        header = write_call(
            self._number_of(target), call, None if fresh_until == math.inf else fresh_until
        )
        self._last_call = id = self._last_call % 0xFFFF_FFFF + 1
        self._waiting[id] = done
        line.send_parts(kinds.CALL, id, header, call.body)

    async def stop_installation(self, installation_id: str) -> None:
        """As `Pool.stop_installation`, draining."""
        await self._line.ask("stop_installation", installation_id)

    def end(self) -> None:
        """The host has gone, and with it every call."""
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            done(Failure("worker_lost", "The process that runs app code ended", 0))

    def _number_of(self, target: Target) -> int:
        known = self._targets.get(id(target))
        if known is not None:
            self._targets.move_to_end(id(target))
            return known[1]
        self._last_target = number = self._last_target % 0xFFFF_FFFF + 1
        self._targets[id(target)] = (target, number)
        self._line.send(kinds.TARGET, number, write_target(target))
        if len(self._targets) > MOST_TARGETS:
            _, (_, oldest) = self._targets.popitem(last=False)
            self._line.send(kinds.TARGET_GONE, oldest)
        return number

    def _answered(self, frame: Frame) -> None:
        done = self._waiting.pop(frame.id, None)
        if done is not None:
            done(read_answer(*split(frame.payload)))

    def _failed(self, frame: Frame) -> None:
        done = self._waiting.pop(frame.id, None)
        if done is not None:
            done(read_failure(frame.payload))
