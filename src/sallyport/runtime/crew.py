"""Crew: the workers of one installation, and the calls that wait for one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sallyport.runtime.call import Failure, FailureKind, Invocation, Limits, Target
from sallyport.runtime.limits import count_reached
from sallyport.runtime.logs import InvocationLog
from sallyport.runtime.nursery import ImportFailure, Nursery
from sallyport.runtime.turns import QUICK_US, Done, Paces, Turn
from sallyport.runtime.worker import Surroundings, Worker


class CrewPool(Surroundings, Protocol):
    """What a crew needs of the pool."""

    limits: Limits

    def nursery(self, target: Target) -> Nursery: ...

    def take_place(self, crew: Crew) -> bool:
        """Whether one more worker may be started; if not, `crew.grow` is called when it may."""
        ...

    def place_free(self, crew: Crew) -> None: ...


@dataclass(eq=False, slots=True)
class _Waiting:
    call: Invocation
    done: Done
    timer: asyncio.TimerHandle | None = None


class Crew:
    """Grows a worker for each waiting call up to the limit; a free worker gets the next call.

    Calls of functions that are quick go to the worker that had the last one, even if it is busy.
    """

    def __init__(self, pool: CrewPool, target: Target) -> None:
        self.target = target
        self.workers: set[Worker] = set()
        self.used_at = pool.loop.time()
        self.paces = Paces()
        self._pool = pool
        self._lead: Worker | None = None
        self._refusing = ""
        self._free: list[Worker] = []
        self._queue: deque[_Waiting] = deque()
        self._unready: set[Worker] = set()
        self._starting = 0

    @property
    def busy(self) -> bool:
        """Whether a call runs or waits here, or a worker is on its way."""
        return bool(self._queue or self._starting) or len(self._free) < len(self.workers)

    @property
    def empty(self) -> bool:
        return not (self.workers or self._starting or self._queue)

    @property
    def size(self) -> int:
        """How many workers there are or are on their way."""
        return len(self.workers) + self._starting

    @property
    def running(self) -> int:
        """How many workers answer a call."""
        return len(self.workers) - len(self._free)

    @property
    def waiting(self) -> int:
        """How many calls have no worker yet."""
        return len(self._queue)

    def submit(self, call: Invocation, done: Done) -> None:
        """Run the call in a worker that has room for it, or let it wait for one."""
        worker = self._with_room(call)
        if worker is not None:
            self._give(worker, call, done)
            return
        if len(self._queue) >= self._pool.limits.queue_per_installation:
            count_reached("queue")
            self._refuse(call, done, "busy", "Too many calls wait for a worker")
            return
        self._queue.append(self._waiting(call, done))
        self.grow()

    def grow(self) -> None:
        """Start workers for the calls that none is on its way for."""
        limit = self._pool.limits.workers_per_installation
        while (
            self._starting < len(self._queue) and self.size < limit and self._pool.take_place(self)
        ):
            self._starting += 1
            try:
                nursery = self._pool.nursery(self.target)
            except OSError as error:
                self._start_failed(f"The app's process could not be started: {error.strerror}")
                return
            nursery.when_settled(lambda nursery=nursery: self._fork(nursery))  # type: ignore[misc]

    def longest_free(self) -> Worker | None:
        """The worker that has been free for the longest."""
        return self._free[0] if self._free else None

    def check_memory(self) -> None:
        """End the calls that hold more memory than the app may have."""
        for worker in tuple(self.workers):
            worker.check_memory()

    def stop_idle(self, before: float) -> None:
        """End the workers that no call has used since `before` (loop time)."""
        while self._free and self._free[0].free_since <= before:
            self.dismiss(self._free[0], "it was idle")

    def dismiss(self, worker: Worker, reason: str) -> None:
        """End a free worker."""
        worker.kill(reason)

    def refuse_waiting(self, reason: str) -> None:
        """Answer every call that has not started with `busy`, also those yet to come."""
        self._refusing = reason
        while self._queue:
            self._fail_first("busy", reason)
        for worker in tuple(self.workers):
            worker.give_back()

    def kill(self, reason: str) -> None:
        """End every worker, calls and all."""
        for worker in (*self.workers, *self._unready):
            worker.kill(reason)

    # ---- what workers report

    def worker_ready(self, worker: Worker) -> None:
        self._starting -= 1
        self._unready.discard(worker)
        self.workers.add(worker)
        self.worker_eased(worker)

    def worker_eased(self, worker: Worker) -> None:
        self.used_at = self._pool.loop.time()
        self._fail_unimportable(worker.nursery)
        while self._queue and worker.has_room:
            waiting = self._next_waiting()
            self._give(worker, waiting.call, waiting.done)
        if worker.state == "free" and worker not in self._free:
            self._free.append(worker)
            self._pool.place_free(self)

    def calls_returned(self, turns: Sequence[Turn]) -> None:
        if self._refusing:
            for turn in turns:
                self._refuse(turn.call, turn.done, "busy", self._refusing)
            return
        for turn in reversed(turns):
            self._queue.appendleft(self._waiting(turn.call, turn.done))
        while self._queue:
            worker = self._with_room(self._queue[0].call)
            if worker is None:
                break
            waiting = self._next_waiting()
            self._give(worker, waiting.call, waiting.done)
        self.grow()

    def worker_ending(self, worker: Worker) -> None:
        if worker in self._free:
            self._free.remove(worker)
        if worker is self._lead:
            self._lead = None

    def worker_gone(self, worker: Worker, reason: str) -> None:
        self.worker_ending(worker)
        self.workers.discard(worker)
        if worker in self._unready:
            self._unready.discard(worker)
            self._fail_unimportable(worker.nursery)
            self._start_failed(f"The worker did not start: {reason}")
        self.grow()
        self._pool.place_free(self)

    # ---- who gets a call

    def _with_room(self, call: Invocation) -> Worker | None:
        lead = self._lead
        if lead is not None and lead.state == "busy" and lead.has_room:
            return lead
        if self._is_crowded_for(call):
            crowded = [worker for worker in self.workers if worker.has_crowded_room]
            if crowded:
                return min(crowded, key=lambda worker: worker.load_us)
        if self._free:
            return self._free[-1]
        for worker in self.workers:
            if worker.has_room:
                return worker
        return None

    def _is_crowded_for(self, call: Invocation) -> bool:
        """Whether another worker would not run this call any sooner."""
        is_quick = self.paces.of(call.handler) <= QUICK_US
        return is_quick and self.running >= self._pool.limits.side_by_side

    def _give(self, worker: Worker, call: Invocation, done: Done) -> None:
        nursery = worker.nursery
        if nursery.failures:
            failure = nursery.failure_of(call.handler)
            if failure is not None:
                self._fail_import(nursery, call, done, failure)
                return
        if worker.state == "free":
            if self._free and self._free[-1] is worker:
                self._free.pop()
            elif worker in self._free:
                self._free.remove(worker)
        self._lead = worker
        worker.run(call, done)

    def _waiting(self, call: Invocation, done: Done) -> _Waiting:
        waiting = _Waiting(call, done)
        seconds = self._pool.limits.queue_ms / 1000
        waiting.timer = self._pool.loop.call_later(seconds, self._expire, waiting)
        return waiting

    def _next_waiting(self) -> _Waiting:
        waiting = self._queue.popleft()
        if waiting.timer is not None:
            waiting.timer.cancel()
        return waiting

    # ---- starting

    def _fork(self, nursery: Nursery) -> None:
        if nursery.state == "ended":
            self._import_failed(
                nursery, ImportFailure(f"The app could not be loaded: {nursery.end_reason}", "")
            )
            return
        self._fail_unimportable(nursery)
        if len(self._queue) < self._starting:
            self._starting -= 1
            self._pool.place_free(self)
            return
        try:
            worker = Worker(self._pool, self.target, nursery, self, self._pool.limits.start_ms)
        except OSError as error:
            self._start_failed(f"The worker could not be started: {error.strerror or error}")
            return
        self._unready.add(worker)

    def _fail_unimportable(self, nursery: Nursery) -> None:
        if nursery.failures:
            for waiting in tuple(self._queue):
                failure = nursery.failure_of(waiting.call.handler)
                if failure is not None:
                    self._leave_queue(waiting)
                    self._fail_import(nursery, waiting.call, waiting.done, failure)

    def _import_failed(self, nursery: Nursery, failure: ImportFailure) -> None:
        self._starting -= 1
        while self._queue:
            waiting = self._next_waiting()
            self._fail_import(nursery, waiting.call, waiting.done, failure)
        self._pool.place_free(self)

    def _fail_import(
        self, nursery: Nursery, call: Invocation, done: Done, failure: ImportFailure
    ) -> None:
        log = self._log(call)
        lines, nursery.import_lines = nursery.import_lines, []
        for level, line in lines:
            log.write(level, line)
        log.report("ERROR", failure.trace or failure.message)
        done(Failure("import_error", failure.message, 0))

    def _start_failed(self, message: str) -> None:
        self._starting -= 1
        if self._queue:
            self._fail_first("worker_lost", message)
        self._pool.place_free(self)

    # ---- calls that do not start

    def _expire(self, waiting: _Waiting) -> None:
        count_reached("queue_time")
        self._leave_queue(waiting)
        self._refuse(waiting.call, waiting.done, "busy", "No worker came free in time")

    def _leave_queue(self, waiting: _Waiting) -> None:
        self._queue.remove(waiting)
        if waiting.timer is not None:
            waiting.timer.cancel()

    def _fail_first(self, kind: FailureKind, message: str) -> None:
        waiting = self._next_waiting()
        self._refuse(waiting.call, waiting.done, kind, message)

    def _refuse(self, call: Invocation, done: Done, kind: FailureKind, message: str) -> None:
        self._log(call).report("ERROR", message)
        done(Failure(kind, message, 0))

    def _log(self, call: Invocation) -> InvocationLog:
        return InvocationLog(self.target, call, self._pool.clock, self._pool.sink)
