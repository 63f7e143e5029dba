"""Worker: the platform's side of one worker process, which runs one call after another."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, Protocol

from sallyport.runtime import frames
from sallyport.runtime.call import Failure, FailureKind, Invocation, Outcome, Target
from sallyport.runtime.channel import Channel
from sallyport.runtime.frames import Frame
from sallyport.runtime.hello import NoHello, read_hello
from sallyport.runtime.limits import count_reached
from sallyport.runtime.lines import Lines
from sallyport.runtime.logs import Sink
from sallyport.runtime.memory import KernelKills, is_over
from sallyport.runtime.nursery import Nursery
from sallyport.runtime.outcomes import outcome_of
from sallyport.runtime.output import RawOutput
from sallyport.runtime.pace import Pace, Thread
from sallyport.runtime.processes import kill_group
from sallyport.runtime.requests import Requests
from sallyport.runtime.running import CapabilityHandler, RunningCall
from sallyport.runtime.turns import (
    LOOK_S,
    Done,
    Paces,
    Turn,
    Turns,
    encode_turn,
)
from sallyport.vocab.clock import Clock

_GONE_WITHIN: Final = 1.0
# A body of this size is not copied into the write that it leaves with.
_LARGE_BODY: Final = 64 * 1024
OUT_OF_MEMORY: Final = "The call's processes needed more memory than memoryMB allows"


class Crew(Protocol):
    """Who a worker reports to. `paces` are those of the app's functions."""

    paces: Paces

    def worker_ready(self, worker: Worker) -> None: ...

    def worker_eased(self, worker: Worker) -> None:
        """It has answered calls and may be given others."""
        ...

    def calls_returned(self, turns: Sequence[Turn]) -> None:
        """Calls that the worker was given and has not started, nor will."""
        ...

    def worker_ending(self, worker: Worker) -> None: ...

    def worker_gone(self, worker: Worker, reason: str) -> None: ...


class Surroundings(Protocol):
    """What a worker needs of the pool."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    sink: Sink
    capability_handler: CapabilityHandler
    kernel_kills: KernelKills


class Worker:
    """One worker process, of one installation.

    `state`: starting until it has said who it is, then free or busy, ending once it is being
    killed, gone when nothing of it is left. docs/decisions/0013-what-a-call-costs.md says why it
    is given several calls at once, and how it still runs one at a time.
    """

    def __init__(
        self, pool: Surroundings, target: Target, nursery: Nursery, crew: Crew, start_ms: int
    ) -> None:
        self.target = target
        self.nursery = nursery
        self.state: Literal["starting", "free", "busy", "ending", "gone"] = "starting"
        self.pid: int | None = None
        self.free_since = 0.0
        self._pool = pool
        self._loop = pool.loop
        self._crew = crew
        self._pidfd = -1
        self._calls: Channel | None = None
        self._turns = Turns()
        self._pace: Pace | None = None
        self._unsent: list[bytes] = []
        self._undrawn: list[int] = []
        self._sending = False
        self._verdict: tuple[Failure, str] | None = None
        self._end_reason = ""
        self._directory = Path(tempfile.mkdtemp(prefix="sallyport-call-"))
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._start(start_ms)

    @property
    def has_room(self) -> bool:
        """Whether a call given now would begin soon."""
        return self.state in ("free", "busy") and self._turns.have_room

    @property
    def has_crowded_room(self) -> bool:
        """Whether a quick call is best given to this busy one, where every processor is."""
        return self.state == "busy" and self._turns.have_crowded_room

    @property
    def load_us(self) -> float:
        """How long its calls are expected to run, in microseconds."""
        return self._turns.load_us

    def run(self, call: Invocation, done: Done) -> None:
        """Give it a call; `done` gets its outcome, from the event loop.

        In a free worker it starts at once, else when those before it have ended.
        """
        self.state = "busy"
        turn = Turn(
            self.target,
            call,
            self._pool.clock,
            self._pool.sink,
            done,
            self._crew.paces.of(call.handler),
        )
        if self.nursery.import_lines:
            self._lines.claim(turn)
        kind = frames.CALL
        if self._turns.add(turn):
            self._begun(turn)
        else:
            kind = frames.QUEUED
            self._undrawn.append(turn.id)
            if self._watch is None:
                self._watch = self._loop.call_later(LOOK_S, self._look)
        deadline = self._pool.clock.now() + call.timeout_ms
        head, body = encode_turn(turn, kind, deadline)
        if len(body) > _LARGE_BODY:
            self.send()
            self._unsent.append(head)
            self.send()
            self._unsent.append(body)
        else:
            self._unsent += (head, body)
        if not self._sending:
            # Once in a turn of the loop: calls that come together leave together.
            self._sending = True
            self._loop.call_soon(self._send_gathered)

    def send(self) -> None:
        """Send what calls it was given."""
        if self._calls is None or not self._unsent:
            return
        if self._undrawn:
            undrawn, self._undrawn = self._undrawn, []
            try:
                self._ends.tickets.put(undrawn)
            except OSError:
                # Only who draws no tickets lets them pile up.
                self._protocol_broken()
                return
        unsent, self._unsent = self._unsent, []
        self._calls.send_all(unsent)
        if self._turns.sent() and self._pace is not None:
            self._pace.begin()

    def give_back(self) -> None:
        """Give the calls that have not started back to the crew."""
        before = self._turns.first
        taken = self._turns.take_out(self._ends.tickets.take_back().union(self._undrawn))
        # What was not sent yet goes without tickets, so the worker will not run it.
        self._undrawn = []
        if not taken:
            return
        first = self._turns.first
        if self.state == "busy":
            if first is None:
                self._now_free()
            elif first is not before:
                self._turns.begin_first()
                self._begun(first)
        self._crew.calls_returned(taken)
        if self.state == "free":
            self._crew.worker_eased(self)

    def check_memory(self) -> None:
        """End a call whose processes together hold more memory than the app may have."""
        self._catch_up()
        is_running = self.state == "busy" and self.pid is not None
        if is_running and is_over(self.pid or 0, self.target.memory_mb):
            count_reached("memory")
            self._fail_with("out_of_memory", OUT_OF_MEMORY)

    def kill(self, reason: str) -> None:
        """End the process and everything that it started. A running call gets `worker_lost`."""
        if self.state in ("ending", "gone"):
            return
        self._end_reason = reason
        self.state = "ending"
        self._crew.worker_ending(self)
        self.give_back()
        self._ends.ending()
        if self._pidfd < 0 or self.pid is None:
            self._gone()
            return
        kill_group(self._pidfd, self.pid)
        # The process is gone in a moment, and then the call fails; but nobody waits for ever.
        self._rearm(_GONE_WITHIN, self._gone)

    # ---- start

    def _start(self, start_ms: int) -> None:
        try:
            self._ends = ends = self.nursery.worker(self._directory)
        except OSError:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self._hello_socket = ends.calls
        self._lines = Lines(self._turns, self.nursery, ends.heap_full, self._protocol_broken)
        self._output = RawOutput(self._loop, ends.output, self._lines.take_raw, self._catch_up)
        self._requests = Requests(
            self._loop,
            ends.capabilities,
            self._pool.capability_handler,
            self._running_now,
            self._protocol_broken,
            lambda: self.kill("a capability request failed"),
        )
        self._loop.add_reader(self._hello_socket, self._hello)
        self._timer = self._loop.call_later(start_ms / 1000, self.kill, "it did not start in time")

    def _hello(self) -> None:
        self._loop.remove_reader(self._hello_socket)
        try:
            self.pid, self._pidfd = read_hello(self._hello_socket)
        except NoHello as reason:
            self.kill(str(reason))
            return
        self.nursery.forked(self.pid)
        self._pace = Pace(Thread(f"/proc/{self.pid}"), Thread("/proc/thread-self"))
        self._loop.add_reader(self._pidfd, self._gone)
        self._calls = Channel(
            self._loop,
            self._hello_socket,
            largest=frames.LARGEST_CALL,
            on_frame=self._frame,
            on_read=self._settle,
            on_end=self._call_socket_ended,
        )
        self._cancel_timer()
        self._now_free()
        self._crew.worker_ready(self)

    # ---- calls

    def _send_gathered(self) -> None:
        self._sending = False
        self.send()

    def _begun(self, turn: Turn) -> None:
        """A call starts to run."""
        if self._timer is None or turn.ends_at < self._fires_at:
            self._rearm(turn.call.timeout_ms / 1000, self._time_up)
            self._fires_at = turn.ends_at
        self._requests.begin(turn)

    def _running_now(self) -> RunningCall | None:
        """The call that runs, when all is known that the worker has answered."""
        if len(self._turns) > 1:
            self._catch_up()
        return self._turns.first

    def _catch_up(self) -> None:
        """Look at what the worker has answered so far."""
        if len(self._turns) > 1 and self._calls is not None:
            self._read_answers()

    def _read_answers(self) -> None:
        """Take all answers that there are by now, in their order."""
        laid = self._ends.answers
        try:
            if laid is not None:
                # First, so that whatever comes before these is in the socket when that is read.
                laid.fetch()
            if self._calls is not None:
                self._calls.read_now()
            if laid is not None:
                for frame in laid.rest():
                    self._answer(frame)
        except frames.FrameError:
            self._protocol_broken()
        self._settle()

    def _frame(self, frame: Frame) -> None:
        kind, _, payload = frame
        if kind == frames.LOG:
            self._lines.take(payload)
        else:
            try:
                if kind == frames.LAID and self._ends.answers is not None:
                    for laid in self._ends.answers.told(payload):
                        self._answer(laid)
                else:
                    self._answer(frame)
            except frames.FrameError:
                self._protocol_broken()

    def _answer(self, frame: Frame) -> None:
        """Take the answer of the call that runs. Raises `FrameError` for anything else."""
        kind, id, payload = frame
        first = self._turns.first
        if first is None or id != first.id or kind not in (frames.RESULT, frames.FAILURE):
            raise frames.FrameError("it is no answer of the call that runs")
        header, body = frames.split(payload)
        if not self._ends.waits_for_output:
            self._output.drain()
        following = self._turns.answer(kind, header, body)
        if following is not None:
            self._begun(following)

    def _settle(self) -> None:
        """Check the answers that have come together, let it go on, then give them out."""
        answered, each_us = self._turns.settle()
        if not answered:
            return
        all_us = each_us * len(answered)
        pace = (all_us if self._pace is None else self._pace.of(all_us)) / len(answered)
        outcomes: list[tuple[Done, Outcome]] = []
        leftovers = False
        took = self._crew.paces.took
        for each in answered:
            took(each.turn.call.handler, pace)
            outcome, is_spent = outcome_of(each, each_us)
            leftovers = leftovers or is_spent
            outcomes.append((each.turn.done, outcome))
        if self.state == "busy":
            if leftovers:
                # What a call leaves running would run on between calls, and beside later ones.
                self.kill("a call left processes behind")
            else:
                if not self._turns:
                    self._now_free()
                self._crew.worker_eased(self)
                self.send()
        for done, outcome in outcomes:
            done(outcome)

    def _look(self) -> None:
        """Take answers that lie unsaid behind one that turned out slow, and the calls behind it."""
        self._watch = None
        if self.state != "busy" or len(self._turns) < 2:
            return
        self._catch_up()
        if self.state == "busy" and self._turns.is_held_up():
            self.give_back()
        if len(self._turns) > 1 and self._watch is None:
            self._watch = self._loop.call_later(LOOK_S, self._look)

    def _now_free(self) -> None:
        self.state = "free"
        self.free_since = self._loop.time()

    def _time_up(self) -> None:
        self._timer = None
        self._catch_up()
        first = self._turns.first
        if first is None or self.state != "busy":
            return
        left = first.ends_at - time.monotonic()
        if left > 0:
            self._rearm(left, self._time_up)
            self._fires_at = first.ends_at
            return
        count_reached("time")
        timeout_ms = first.call.timeout_ms
        self._fail_with("timeout", f"Timed out after {timeout_ms / 1000:g} s")

    def _protocol_broken(self) -> None:
        self._fail_with("worker_lost", "The worker broke the frame protocol")

    def _call_socket_ended(self, reason: str) -> None:
        self._calls = None
        self._read_answers()
        self._fail_with("worker_lost", "The worker ended during the call")

    def _fail_with(self, kind: FailureKind, message: str) -> None:
        if self._turns and self._verdict is None:
            self._verdict = Failure(kind, message, self._turns.elapsed_us), message
        self.kill(message)

    # ---- the end

    def _gone(self) -> None:
        if self.state == "gone":
            return
        was_busy, self.state = self.state == "busy", "ending"
        # It may have answered before it ended.
        self._read_answers()
        if was_busy:
            self.give_back()
        self.state = "gone"
        self._cancel_timer()
        if self._watch is not None:
            self._watch.cancel()
        self._output.close()
        if self.pid is None:
            self._loop.remove_reader(self._hello_socket)
            self._hello_socket.close()
        if self._calls is not None:
            self._calls.close()
        self._requests.close()
        if self._pace is not None:
            self._pace.close()
        self._ends.tickets.close()
        if self._ends.answers is not None:
            self._ends.answers.close()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        if self.pid is None:
            self.nursery.fork_failed()
        else:
            self.nursery.worker_ended(self.pid)
        self._ends.gone()
        self._remove_directory()
        self._settle_lost_calls()
        self._crew.worker_gone(self, self._end_reason or "it ended")

    def _settle_lost_calls(self) -> None:
        """Fail the call that ran; and any behind it of which nobody knows whether it began."""
        if not self._turns:
            return
        if self._verdict is None:
            message = "The worker ended during the call"
            if self._end_reason:
                message = f"The worker was ended: {self._end_reason}"
            self._verdict = Failure("worker_lost", message, self._turns.elapsed_us), message
        failure, text = self._verdict
        is_over = self._lines.heap_is_full or self._pool.kernel_kills.lately
        if failure.kind == "worker_lost" and is_over:
            count_reached("memory")
            failure, text = replace(failure, kind="out_of_memory"), OUT_OF_MEMORY
        for turn in self._turns.take_all():
            turn.log.report("ERROR", text)
            turn.done(failure)

    def _remove_directory(self) -> None:
        try:
            self._directory.rmdir()
        except OSError:
            self._loop.run_in_executor(None, shutil.rmtree, self._directory, True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rearm(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._loop.call_later(seconds, callback)
