"""Worker: the platform's side of one worker process; at most one call runs in it at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from sallyport.runtime import frames
from sallyport.runtime.call import Failure, FailureKind, Invocation, Outcome, Target
from sallyport.runtime.channel import Channel
from sallyport.runtime.frames import Frame
from sallyport.runtime.hello import NoHello, read_hello
from sallyport.runtime.limits import count_reached
from sallyport.runtime.logs import LEVELS, InvocationLog, LineSplitter, Sink
from sallyport.runtime.memory import KernelKills, is_over
from sallyport.runtime.nursery import Nursery
from sallyport.runtime.processes import kill_group
from sallyport.runtime.result import Checked, check_failure, check_result
from sallyport.runtime.running import CapabilityHandler, RunningCall
from sallyport.vocab.clock import Clock

Done = Callable[[Outcome], None]

# Our worker stops sending soon after the log is full; one that goes on is not ours any more.
_MOST_DROPPED_FRAMES: Final = 1000
_MOST_REQUESTS: Final = 16
_GONE_WITHIN: Final = 1.0
OUT_OF_MEMORY: Final = "The call's processes needed more memory than memoryMB allows"


class Crew(Protocol):
    """Who a worker reports to."""

    def worker_ready(self, worker: Worker) -> None: ...

    def worker_free(self, worker: Worker) -> None: ...

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
    killed, gone when nothing of it is left.
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
        self._call_id = 0
        self._done: Done | None = None
        self._log: InvocationLog | None = None
        self._running: RunningCall | None = None
        self._started_ns = 0
        self._verdict: tuple[Failure, str] | None = None
        self._end_reason = ""
        self._heap_full = False
        self._requests: set[asyncio.Task[None]] = set()
        self._request_slots = asyncio.Semaphore(_MOST_REQUESTS)
        self._held: list[Frame] = []
        self._splitter = LineSplitter(self._raw_line)
        self._directory = Path(tempfile.mkdtemp(prefix="sallyport-call-"))
        self._timer: asyncio.TimerHandle | None = None
        self._start(start_ms)

    def run(self, call: Invocation, done: Done) -> None:
        """Start a call in a free worker; `done` gets its outcome, from the event loop."""
        assert self.state == "free"
        assert self._calls is not None
        self.state = "busy"
        # App code must not be able to answer a call before it has come.
        self._call_id = int.from_bytes(os.urandom(4), "big")
        self._done = done
        self._log = log = InvocationLog(self.target, call, self._pool.clock, self._pool.sink)
        self._running = running = RunningCall(self.target, call, log)
        lines = self.nursery.import_lines
        if lines:
            self.nursery.import_lines = []
            for level, line in lines:
                log.write(level, line)
        header = msgspec.json.encode(
            {
                "handler": call.handler,
                "timeoutMs": call.timeout_ms,
                "request": call.request,
                "context": {
                    **call.context,
                    "invocationId": call.id,
                    "traceId": call.trace_id,
                    "deadline": self._pool.clock.now() + call.timeout_ms,
                },
            }
        )
        self._started_ns = time.monotonic_ns()
        self._timer = self._loop.call_later(
            call.timeout_ms / 1000, self._timed_out, call.timeout_ms
        )
        self._calls.send_parts(frames.CALL, self._call_id, header, call.body)
        if self._held:
            held, self._held = self._held, []
            for frame in held:
                self._ask(running, frame)
            self._capabilities.resume()

    def check_memory(self) -> None:
        """End a call whose processes together hold more memory than the app may have."""
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
        self._hello_socket, self._output = ends.calls, ends.output
        self._loop.add_reader(self._output, self._read_output)
        self._capabilities = Channel(
            self._loop,
            ends.capabilities,
            largest=frames.LARGEST_REQUEST,
            on_frame=self._request,
            on_end=lambda reason: None,
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
        self._loop.add_reader(self._pidfd, self._gone)
        self._calls = Channel(
            self._loop,
            self._hello_socket,
            largest=frames.LARGEST_CALL,
            on_frame=self._frame,
            on_end=self._call_socket_ended,
        )
        self._cancel_timer()
        self.state = "free"
        self._crew.worker_ready(self)

    # ---- a call

    def _frame(self, frame: Frame) -> None:
        if frame.kind == frames.LOG:
            self._log_frame(frame.payload)
            return
        if self._done is None or frame.id != self._call_id:
            self._protocol_broken()
            return
        elapsed = self._elapsed_us()
        try:
            header, body = frames.split(frame.payload)
        except frames.FrameError:
            self._protocol_broken()
            return
        if frame.kind == frames.RESULT:
            self._finish(check_result(header, body, elapsed))
        elif frame.kind == frames.FAILURE:
            self._finish(check_failure(header, elapsed))
        else:
            self._protocol_broken()

    def _finish(self, checked: Checked) -> None:
        self._cancel_timer()
        self._drain_output()
        outcome = checked.outcome
        if isinstance(outcome, Failure):
            if outcome.kind == "out_of_memory":
                count_reached("memory")
            elif outcome.kind == "too_large":
                count_reached("response")
        if isinstance(outcome, Failure) and self._log is not None:
            self._log.report("ERROR", checked.trace or _failure_text(outcome))
        done, self._done = self._done, None
        if self.state == "busy":
            self.state = "free"
        try:
            if done is not None:
                done(outcome)
        finally:
            if checked.leftovers:
                # What a call leaves running would run on between calls, and beside later ones.
                self.kill("a call left processes behind")
            elif self.state == "free":
                self.free_since = self._loop.time()
                self._crew.worker_free(self)

    def _timed_out(self, timeout_ms: int) -> None:
        count_reached("time")
        self._fail_with("timeout", f"Timed out after {timeout_ms / 1000:g} s")

    def _protocol_broken(self) -> None:
        self._fail_with("worker_lost", "The worker broke the frame protocol")

    def _call_socket_ended(self, reason: str) -> None:
        self._calls = None
        self._fail_with("worker_lost", "The worker ended during the call")

    def _fail_with(self, kind: FailureKind, message: str) -> None:
        if self._done is not None and self._verdict is None:
            self._verdict = Failure(kind, message, self._elapsed_us()), message
        self.kill(message)

    # ---- the end

    def _gone(self) -> None:
        if self.state == "gone":
            return
        if self.state == "busy" and self._calls is not None:
            # It may have answered before it ended.
            self.state = "ending"
            self._calls.read_now()
        self._drain_output()
        self._splitter.end()
        self.state = "gone"
        self._cancel_timer()
        if self.pid is None:
            self._loop.remove_reader(self._hello_socket)
            self._hello_socket.close()
        if self._calls is not None:
            self._calls.close()
        self._capabilities.close()
        self._loop.remove_reader(self._output)
        os.close(self._output)
        for task in self._requests:
            task.cancel()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        if self.pid is None:
            self.nursery.fork_failed()
        else:
            self.nursery.worker_ended(self.pid)
        self._ends.gone()
        self._remove_directory()
        self._settle_lost_call()
        self._crew.worker_gone(self, self._end_reason or "it ended")

    def _settle_lost_call(self) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if self._verdict is None:
            message = "The worker ended during the call"
            if self._end_reason:
                message = f"The worker was ended: {self._end_reason}"
            self._verdict = Failure("worker_lost", message, self._elapsed_us()), message
        failure, text = self._verdict
        is_over = self._heap_full or self._pool.kernel_kills.lately
        if failure.kind == "worker_lost" and is_over:
            count_reached("memory")
            failure, text = replace(failure, kind="out_of_memory"), OUT_OF_MEMORY
        if self._log is not None:
            self._log.report("ERROR", text)
        done(failure)

    def _remove_directory(self) -> None:
        try:
            self._directory.rmdir()
        except OSError:
            self._loop.run_in_executor(None, shutil.rmtree, self._directory, True)

    # ---- logs

    def _log_frame(self, payload: bytes) -> None:
        log = self._log
        if log is None or not payload or payload[0] >= len(LEVELS):
            return
        log.write(LEVELS[payload[0]], payload[1 : frames.LARGEST_LOG_LINE + 1])
        if log.dropped > _MOST_DROPPED_FRAMES:
            self._protocol_broken()

    def _raw_line(self, line: bytes) -> None:
        if self._ends.heap_full is not None and self._ends.heap_full in line:
            self._heap_full = True
        if self._log is not None and not self._log.dropped:
            self._log.write("INFO", line)

    def _read_output(self) -> bool:
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._output)
            return False
        self._splitter.feed(data)
        return True

    def _drain_output(self) -> None:
        for _ in range(16):
            if not self._read_output():
                return

    # ---- capabilities

    def _request(self, frame: Frame) -> None:
        if frame.kind != frames.REQUEST:
            self._protocol_broken()
            return
        if self._done is None or self._running is None:
            # Between calls an app stands still: what it asks for waits for its next call.
            self._held.append(frame)
            if len(self._held) >= _MOST_REQUESTS:
                self._capabilities.pause()
            return
        self._ask(self._running, frame)

    def _ask(self, running: RunningCall, frame: Frame) -> None:
        task = self._loop.create_task(self._reply(running, frame))
        self._requests.add(task)
        task.add_done_callback(self._replied)
        if len(self._requests) >= _MOST_REQUESTS:
            self._capabilities.pause()

    async def _reply(self, running: RunningCall, frame: Frame) -> None:
        async with self._request_slots:
            header, body = await self._pool.capability_handler(running, frame.payload)
            self._capabilities.send_parts(frames.REPLY, frame.id, header, body)
            # An app that asks and does not read must not fill the platform's memory.
            await self._capabilities.drained()

    def _replied(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if self.state != "gone":
            self._capabilities.resume()
        if not task.cancelled() and task.exception() is not None:
            # Only a fault of ours ends here; the app would wait for ever for its reply.
            self._loop.call_exception_handler(
                {"message": "a capability request failed", "exception": task.exception()}
            )
            self.kill("a capability request failed")

    def _elapsed_us(self) -> int:
        return (time.monotonic_ns() - self._started_ns) // 1000

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rearm(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._loop.call_later(seconds, callback)


def _failure_text(failure: Failure) -> str:
    if failure.kind in ("bad_result", "too_large"):
        return f"The result cannot be sent: {failure.message}"
    return failure.message
