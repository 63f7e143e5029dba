"""Zygote: the platform's side of the process that imports an app once and forks its workers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from sallyport.runtime import frames
from sallyport.runtime.call import Image
from sallyport.runtime.channel import Channel
from sallyport.runtime.frames import Frame
from sallyport.runtime.hello import Ends, fork_worker
from sallyport.runtime.logs import LEVELS, LINES, Level, LineSplitter
from sallyport.runtime.nursery import ImportFailure
from sallyport.runtime.processes import children, descendants, kill_all
from sallyport.runtime.result import UNREADABLE
from sallyport.runtime.sandbox import Driver, Launch

SCRIPT: Final = Path(__file__).parent / "python" / "zygote.py"
_SWEEPS: Final = 20


class _Ready(msgspec.Struct, forbid_unknown_fields=True):
    errors: dict[str, ImportFailure]


class Zygote:
    """One zygote process and what it was made of.

    `state` goes from starting to ready to ended. `failures` are the modules that could not be
    imported, `import_lines` what was printed meanwhile, to be claimed by the first call.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, driver: Driver, image: Image, start_ms: int
    ) -> None:
        self.image = image
        self.state: Literal["starting", "ready", "ended"] = "starting"
        self.end_reason = ""
        self.failures: dict[str, ImportFailure] = {}
        self.import_lines: list[tuple[Level, bytes]] = []
        self.workers: set[int] = set()
        self.pending_forks = 0
        self.used_at = loop.time()
        self.reaped: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._waiting: list[Callable[[], None]] = []
        self.on_end: Callable[[], None] = lambda: None
        self._directory = Path(tempfile.mkdtemp(prefix="sallyport-app-"))
        self._splitter = LineSplitter(lambda line: self._import_line("INFO", line))
        self._start_timer = loop.call_later(start_ms / 1000, self._start_timed_out, start_ms)
        self._start(driver)

    @property
    def idle(self) -> bool:
        return not self.workers and not self.pending_forks and self.state == "ready"

    def failure_of(self, handler: str) -> ImportFailure | None:
        """Why the module of this handler could not be imported, or None."""
        return self.failures.get(handler.rpartition(".")[0])

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Call back once the zygote is ready or has ended; at once if it is so already."""
        if self.state == "starting":
            self._waiting.append(callback)
        else:
            callback()

    def worker(self, directory: Path) -> Ends:
        """Ask for a worker. Raises `OSError` if the zygote is gone."""
        return fork_worker(self.fork, directory)

    def fork(self, directory: Path, descriptors: list[int]) -> None:
        """Ask for a worker with these open files. Raises `OSError` if the zygote is gone."""
        self.used_at = self._loop.time()
        self._control.send_descriptors(frames.FORK, 0, str(directory).encode(), descriptors)
        self.pending_forks += 1

    def forked(self, pid: int) -> None:
        """The worker has said who it is."""
        self.pending_forks -= 1
        self.workers.add(pid)

    def fork_failed(self) -> None:
        """No worker came of it: whatever did come is a stray."""
        self.pending_forks -= 1
        self.sweep()

    def worker_ended(self, pid: int) -> None:
        """A worker is gone: kill what it left behind, which now are children of the zygote."""
        self.workers.discard(pid)
        self.used_at = self._loop.time()
        self.sweep()

    def sweep(self, round: int = 0) -> None:
        """Kill every process below the zygote that is no worker of ours, until there is none."""
        if self.state == "ended" or round == _SWEEPS:
            return
        if self.pending_forks:
            # A worker that has not said its name yet would look like a stray.
            self._loop.call_later(0.02, self.sweep, round)
            return
        strays = [pid for pid in children(self.process.pid) if pid not in self.workers]
        if strays:
            for stray in strays:
                kill_all([stray, *descendants(stray)])
            self._loop.call_later(0.005, self.sweep, round + 1)

    def stop(self, reason: str = "it was stopped") -> None:
        """Kill the zygote and everything below it."""
        if self.state == "ended":
            return
        self.state = "ended"
        self.end_reason = reason
        self._start_timer.cancel()
        for _ in range(_SWEEPS):
            below = descendants(self.process.pid)
            if not below:
                break
            kill_all(below)
        self.process.kill()
        self._control.close()
        self._close_output()
        if self.process.returncode is not None:
            self._reaped()
        self.on_end()
        self._settle()

    def _start(self, driver: Driver) -> None:
        ours, theirs = socket.socketpair()
        self._output, output = os.pipe()
        try:
            self.process = driver.start(
                Launch(
                    script=SCRIPT,
                    arguments=(str(theirs.fileno()), str(os.getpid())),
                    descriptors=(theirs.fileno(),),
                    output=output,
                    directory=self._directory,
                )
            )
        except OSError:
            ours.close()
            os.close(self._output)
            self._start_timer.cancel()
            self._directory.rmdir()
            raise
        finally:
            theirs.close()
            os.close(output)
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read_output)
        self._pidfd = os.pidfd_open(self.process.pid)
        self._loop.add_reader(self._pidfd, self._exited)
        self._control = Channel(
            self._loop,
            ours,
            largest=frames.MEGABYTE,
            on_frame=self._frame,
            on_end=lambda reason: self._control_ended(),
        )
        start = {
            "source": str(self.image.bundle_dir / "src"),
            "functions": self.image.functions,
            "variables": self.image.variables,
            "memory_mb": self.image.memory_mb,
            "confinement": driver.confinement,
            "library": str(_library()),
        }
        self._control.send(frames.START, 0, msgspec.json.encode(start))

    def _frame(self, frame: Frame) -> None:
        if frame.kind == frames.LOG and frame.payload and frame.payload[0] < len(LEVELS):
            self._import_line(LEVELS[frame.payload[0]], frame.payload[1:])
        elif frame.kind == frames.READY and self.state == "starting":
            try:
                self.failures = msgspec.json.decode(frame.payload, type=_Ready).errors
            except UNREADABLE:
                self.stop("it broke the frame protocol")
                return
            self.state = "ready"
            self._start_timer.cancel()
            self._settle()
        else:
            self.stop("it broke the frame protocol")

    def _import_line(self, level: Level, line: bytes) -> None:
        if self.state == "starting" and len(self.import_lines) < LINES:
            self.import_lines.append((level, line[: frames.LARGEST_LOG_LINE]))

    def _read_output(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._output, 65536)
            if data:
                self._splitter.feed(data)
            else:
                self._close_output()

    def _close_output(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1

    def _start_timed_out(self, start_ms: int) -> None:
        self.stop(f"importing it took longer than {start_ms / 1000:g} s")

    def _control_ended(self) -> None:
        # Its exit follows at once, with a status to tell; unless the app has closed the socket.
        self._loop.call_later(0.2, self.stop, "it closed its control socket")

    def _exited(self) -> None:
        code = self.process.poll()
        if self.state == "ended":
            if code is not None:
                self._reaped()
            return
        if self._output >= 0:
            self._read_output()
            self._splitter.end()
        how = "it ended" if code is None else _exit_text(code)
        self.stop(f"{how} while it was being imported" if self.state == "starting" else how)

    def _reaped(self) -> None:
        if self.reaped.done():
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        shutil.rmtree(self._directory, ignore_errors=True)
        self.reaped.set_result(None)

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()


def _library() -> Path:
    """The folder of `sallyport_app`, which the platform itself never loads."""
    spec = importlib.util.find_spec("sallyport_app")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _exit_text(code: int) -> str:
    return f"signal {-code} ended it" if code < 0 else f"it exited with status {code}"
