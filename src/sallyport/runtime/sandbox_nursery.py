"""The nursery of Python apps in sandboxes: each worker is born clean, then imports the app."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import msgspec

from sallyport.runtime import frames
from sallyport.runtime.call import Image
from sallyport.runtime.channel import Channel
from sallyport.runtime.frames import Frame
from sallyport.runtime.hello import Ends, NoHello, fork_worker, read_hello
from sallyport.runtime.logs import LEVELS, LINES, Level
from sallyport.runtime.nursery import ImportFailure
from sallyport.runtime.processes import has_ended
from sallyport.runtime.result import UNREADABLE
from sallyport.runtime.sandbox.sandboxed import SandboxDriver

_ENDS_WITHIN_MS: Final = 50


class _Ready(msgspec.Struct, forbid_unknown_fields=True):
    errors: dict[str, ImportFailure]


class SandboxNursery:
    """Implements `nursery.Nursery`; it is of one installation, as app code runs before a hello."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, driver: SandboxDriver, image: Image
    ) -> None:
        self.state: Literal["starting", "ready", "ended"] = "ready"
        self.end_reason = ""
        self.failures: dict[str, ImportFailure] = {}
        self.import_lines: list[tuple[Level, bytes]] = []
        self.used_at = loop.time()
        self.reaped: asyncio.Future[None] = loop.create_future()
        self.on_end: Callable[[], None] = lambda: None
        self._modules = {function.rpartition(".")[0] for function in image.functions}
        self._loop = loop
        self._driver = driver
        self._image = image
        self._births: set[Birth] = set()
        self._start = msgspec.json.encode(
            {"functions": image.functions, "variables": dict(image.variables)}
        )

    @property
    def idle(self) -> bool:
        return not self._births

    def failure_of(self, handler: str) -> ImportFailure | None:
        return self.failures.get(handler.rpartition(".")[0])

    def when_settled(self, callback: Callable[[], None]) -> None:
        callback()

    def worker(self, directory: Path) -> Ends:
        """A worker on its way. Raises `OSError`."""
        self.used_at = self._loop.time()
        birth = Birth(self._loop, self, self._start)

        def fork(_directory: Path, descriptors: list[int]) -> None:
            image = self._image
            self._driver.start_python(image.bundle_dir, image.memory_mb, [birth.far, *descriptors])

        try:
            ends = fork_worker(fork, directory)
        except OSError:
            birth.end()
            birth.gone()
            raise
        finally:
            birth.close_far()
        self._births.add(birth)
        return replace(ends, ending=birth.end, gone=birth.gone)

    def forked(self, pid: int) -> None:
        pass

    def fork_failed(self) -> None:
        pass

    def worker_ended(self, pid: int) -> None:
        pass

    def stop(self, reason: str = "it was stopped") -> None:
        if self.state == "ended":
            return
        self.state = "ended"
        self.end_reason = reason
        for birth in tuple(self._births):
            birth.end()
        self.reaped.set_result(None)
        self.on_end()

    @property
    def has_any_module(self) -> bool:
        """Whether a module of the app was imported, so that a worker has something to do."""
        return bool(self._modules - self.failures.keys())

    def fail(self, reason: str) -> None:
        """Note that the app could not be loaded at all."""
        failure = ImportFailure(f"The app could not be loaded: {reason}", "")
        self.failures = dict.fromkeys(self._modules, failure)

    def left(self, birth: Birth) -> None:
        """A worker is gone."""
        self._births.discard(birth)
        self.used_at = self._loop.time()


class Birth:
    """A worker from its order to its end, by the first process of its sandbox.

    What the worker itself says of who it is was said by app code; this is the kernel's word.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, nursery: SandboxNursery, start: bytes
    ) -> None:
        self._loop = loop
        self._nursery = nursery
        self._start = start
        self._sock, self._far = socket.socketpair()
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._pidfd = -1
        self._channel: Channel | None = None
        self._imported = False
        self._ended = False
        loop.add_reader(self._sock, self._born)

    @property
    def far(self) -> int:
        return self._far.fileno()

    def close_far(self) -> None:
        self._far.close()

    def end(self) -> None:
        """Kill everything in the sandbox, and note it where the app had not been imported."""
        if self._ended:
            return
        self._ended = True
        if self._channel is not None:
            self._channel.read_now()
            self._channel.close()
        else:
            self._loop.remove_reader(self._sock)
            self._sock.close()
        if self._pidfd >= 0:
            if not self._imported:
                self._note_failed_import()
            signal_all(self._pidfd)

    def gone(self) -> None:
        """Nothing of the worker is left."""
        self.end()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._nursery.left(self)

    def _born(self) -> None:
        self._loop.remove_reader(self._sock)
        try:
            _, self._pidfd = read_hello(self._sock)
        except NoHello:
            self._nursery.fail(self._reason())
            return
        self._channel = Channel(
            self._loop,
            self._sock,
            largest=frames.MEGABYTE,
            on_frame=self._frame,
            on_end=lambda reason: None,
        )
        self._channel.send(frames.START, 0, self._start)

    def _reason(self) -> str:
        try:
            text = self._sock.recv(4096).decode("utf-8", "replace")
        except OSError:
            text = ""
        # The start of the text was taken for a hello.
        return f"the sandbox could not be entered{text[text.find(':') :] if text else ''}"

    def _frame(self, frame: Frame) -> None:
        nursery = self._nursery
        if frame.kind == frames.LOG and frame.payload and frame.payload[0] < len(LEVELS):
            if len(nursery.import_lines) < LINES:
                line = frame.payload[1 : frames.LARGEST_LOG_LINE + 1]
                nursery.import_lines.append((LEVELS[frame.payload[0]], line))
            return
        if frame.kind != frames.READY or self._imported:
            self.end()
            return
        try:
            nursery.failures = msgspec.json.decode(frame.payload, type=_Ready).errors
        except UNREADABLE:
            self.end()
            return
        self._imported = True
        if not nursery.has_any_module:
            self.end()
        elif self._channel is not None:
            self._channel.send(frames.READY, 0)

    def _note_failed_import(self) -> None:
        # Its sockets close a moment before it has ended.
        ended = has_ended(self._pidfd, _ENDS_WITHIN_MS)
        how = "its process ended" if ended else "it took too long"
        self._nursery.fail(f"{how} while it was imported")


def signal_all(pidfd: int) -> None:
    """Kill the first process of a process namespace; the kernel kills the rest with it."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
