"""A server's processes: started on their core, timed by the kernel, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench.load.cores import Cores
from bench.runtime.memory import Held, held_by_tree
from sallyport.runtime.processes import descendants

READY_S = 60
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


class Server:
    """One started command with everything that it starts."""

    def __init__(
        self, cores: Cores, command: list[str], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                cores.for_server(command),
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), **(env or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_line(self) -> str:
        """The next line that the server prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if not line:
            raise RuntimeError(f"A server ended at once: {self._log.read_text()[-2000:]}")
        return line

    def ask(self, line: str) -> str:
        """Write a line to the server and read the one that it answers with."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self.read_line()

    def wait_for_port(self, port: int) -> None:
        """Return when it listens."""
        until = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"A server does not listen: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def cpu_seconds(self) -> float:
        """Processor time that its living processes have used so far."""
        return sum(_cpu(each) for each in (self.pid, *descendants(self.pid)))

    def memory(self) -> Held:
        return held_by_tree(self.pid)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[11]) + int(fields[12])) / _TICKS
