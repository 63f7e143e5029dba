"""A Node process: started before it is known for which app, then given one, once and for good."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sallyport.runtime import frames
from sallyport.runtime.channel import Channel
from sallyport.runtime.hello import Ends, Tickets
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.processes import descendants, kill_all
from sallyport.runtime.sandbox import Driver, Launch

SCRIPTS: Final = Path(__file__).parent / "node"
_SWEEPS: Final = 20


class NodeProcess:
    """One process, and the platform's ends of its sockets.

    It knows nothing until `take_up` gives it an app; then it says hello on its call socket, as a
    fork of a zygote does. Whoever takes it owns `ends`, but for what `ends.gone` cleans up.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        driver: Driver,
        program: NodeProgram,
        memory_mb: int,
        on_exit: Callable[[NodeProcess], None],
    ) -> None:
        self.memory_mb = memory_mb
        self.alive = True
        self._loop = loop
        self._on_exit = on_exit
        self._directory = Path(tempfile.mkdtemp(prefix="sallyport-node-"))
        calls, self._far_calls = socket.socketpair()
        capabilities, far_capabilities = socket.socketpair()
        self._start, far_start = socket.socketpair()
        output, raw = os.pipe()
        tickets = Tickets()
        far = (self._far_calls, far_capabilities, far_start)
        numbers = (*(end.fileno() for end in far), tickets.far)
        calls.setblocking(False)
        # Set before the process is there: the kernel notes who sends when it is sent.
        calls.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        os.set_blocking(output, False)
        self.ends = Ends(
            calls,
            capabilities,
            output,
            tickets,
            ending=self._sweep,
            gone=self._given_up,
            heap_full=b"JavaScript heap out of memory",
        )
        self._channel: Channel | None = None
        try:
            self.process = driver.start(
                Launch(
                    script=SCRIPTS / "launch.py",
                    arguments=(
                        str(memory_mb),
                        str(int(driver.confinement["drop_capabilities"])),
                        str(os.getpid()),
                        *_command(program, memory_mb),
                        *(str(number) for number in numbers),
                    ),
                    descriptors=numbers,
                    output=raw,
                    directory=self._directory,
                    program=(*_command(program, memory_mb), *(str(number) for number in numbers)),
                    memory_mb=memory_mb,
                )
            )
        except OSError:
            self._close_ends()
            self._start.close()
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        finally:
            for end in far:
                end.close()
            os.close(raw)
        self._pidfd = os.pidfd_open(self.process.pid)
        loop.add_reader(self._pidfd, self._exited)

    def take_up(self, start: bytes, code: bytes) -> Ends:
        """Give it an app: what START says of it (JSON) and the code of its modules."""
        self._channel = Channel(
            self._loop,
            self._start,
            largest=0,
            on_frame=lambda frame: None,
            on_end=lambda reason: None,
        )
        self._channel.send_parts(frames.START, 0, start, code)
        return self.ends

    def dismiss(self) -> None:
        """End a process that nobody has taken."""
        self._sweep()
        self._close_ends()
        self._given_up()

    def _sweep(self) -> None:
        """Kill what it has started; what left its process group is known by its parent alone."""
        for _ in range(_SWEEPS):
            below = descendants(self.process.pid) if self.alive else []
            if not below:
                break
            kill_all(below)

    def _given_up(self) -> None:
        if self.alive:
            self.process.kill()
        if self._channel is not None:
            self._channel.close()
        else:
            self._start.close()

    def _close_ends(self) -> None:
        self.ends.calls.close()
        self.ends.capabilities.close()
        os.close(self.ends.output)
        self.ends.tickets.close()

    def _exited(self) -> None:
        if self.process.poll() is None:
            return
        self.alive = False
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        shutil.rmtree(self._directory, ignore_errors=True)
        self._on_exit(self)


def _command(program: NodeProgram, memory_mb: int) -> tuple[str, ...]:
    return (
        str(program.path),
        f"--max-old-space-size={memory_mb}",
        # One more thread for the collector is enough for one call at a time.
        "--v8-pool-size=1",
        # Bundles hold no native add-ons, and none may be brought in.
        "--no-addons",
        "--no-deprecation",
        str(SCRIPTS / "worker.cjs"),
    )
