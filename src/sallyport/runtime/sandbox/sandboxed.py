"""The platform's side of the warden: the driver that starts processes in sandboxes."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from sallyport.runtime import frames
from sallyport.runtime.hello import NoHello, read_hello
from sallyport.runtime.processes import has_ended
from sallyport.runtime.sandbox.driver import Guarantee, Launch
from sallyport.runtime.sandbox.groups import end_groups, end_stale_groups

SCRIPT: Final = Path(__file__).parent.parent / "python" / "warden.py"
PROCESSES: Final = 64
SCRATCH_MB: Final = 64
_START_S: Final = 20.0
_HELLO_S: Final = 10.0
# Numbers that no distribution and no container manager gives out.
_FIRST_UID: Final = 1_900_000_000
_UIDS: Final = 1_000_000
_LEAST_UIDS: Final = 512
_CHECK_MB: Final = 64
_GROUPS: Final = "sallyport-"


class _Order(msgspec.Struct, omit_defaults=True):
    bundle: str | None
    memory_mb: int
    processes: int
    scratch_mb: int
    uid: int | None
    command: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    descriptors: tuple[int, ...] = ()
    check: bool = False


class SandboxDriver:
    """Starts each process in a sandbox of its own, through one warden.

    The warden is started when it is first needed, and again if it should end; its workers end with
    it. `readable` are programs and folders of the host that sandboxes show besides Python and the
    system's libraries. May be used from any thread.
    """

    name = "sandbox"
    confinement: Mapping[str, bool] = {"drop_capabilities": False}

    def __init__(
        self, readable: tuple[Path, ...] = (), guarantees: frozenset[Guarantee] | None = None
    ) -> None:
        self.guarantees = frozenset(Guarantee) if guarantees is None else guarantees
        self._readable = readable
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._numbers = itertools.count()
        self._uids = usable_uids()
        self._group = f"{_GROUPS}{os.getpid()}-{id(self):x}"

    def start_python(self, bundle: Path, memory_mb: int, descriptors: list[int]) -> None:
        """Start a Python worker that sees this bundle.

        `descriptors` are its birth, call and capability sockets, its tickets, and the pipes
        of its answers and its output. It says hello on the first as soon as it is in its sandbox.
        Raises `OSError`.
        """
        self._send(self._order(str(bundle.resolve()), memory_mb), descriptors)

    def start(self, launch: Launch) -> Sandboxed:
        """Start a program. Waits until it is in its sandbox. Raises `OSError`."""
        if not launch.program:
            raise OSError(0, "only programs and Python workers can be started in a sandbox")
        order = self._order(None, launch.memory_mb)
        order.command = launch.program
        order.descriptors = launch.descriptors
        pid, pidfd, _ = self._run(order, [*launch.descriptors, launch.output])
        return Sandboxed(pid, pidfd)

    def check(self) -> list[str]:
        """What a process in a sandbox sees kept: names of guarantees, and of control groups.

        Raises `OSError` where no sandbox can be made.
        """
        order = self._order(None, _CHECK_MB)
        order.check = True
        _, pidfd, found = self._run(order, [])
        os.close(pidfd)
        return msgspec.json.decode(found, type=list[str])

    def open(self) -> None:
        """Start the warden now, so that the first call need not wait. Raises `OSError`."""
        with self._lock:
            if self._control is None:
                self._start_warden()

    def close(self) -> None:
        """End the warden and every worker."""
        with self._lock:
            self._end_warden()

    def _order(self, bundle: str | None, memory_mb: int) -> _Order:
        uid = None
        if self._uids:
            uid = self._uids[next(self._numbers) % len(self._uids)]
        return _Order(bundle, memory_mb, PROCESSES, SCRATCH_MB, uid)

    def _run(self, order: _Order, descriptors: list[int]) -> tuple[int, int, bytes]:
        """Start a process and wait for its hello: its pid, a pidfd of it, what else it says."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(_HELLO_S)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._send(order, [theirs.fileno(), *descriptors])
            theirs.close()
            try:
                pid, pidfd = read_hello(ours)
            except NoHello:
                raise OSError(0, "the sandbox could not be entered" + _rest(ours)) from None
            return pid, pidfd, b"" if order.command else ours.recv(65536)

    def _send(self, order: _Order, descriptors: list[int]) -> None:
        data = frames.encode(frames.FORK, 0, msgspec.json.encode(order))
        with self._lock:
            for attempt in (1, 2):
                if self._control is None:
                    self._start_warden()
                assert self._control is not None
                try:
                    sent = socket.send_fds(self._control, [data], descriptors)
                    self._control.sendall(data[sent:])
                    return
                except OSError:
                    self._end_warden()
                    if attempt == 2:
                        raise

    def _start_warden(self) -> None:
        end_stale_groups("", _GROUPS)
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-X", "utf8", str(SCRIPT)),
                    *(str(theirs.fileno()), str(os.getpid())),
                ],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=writing,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        start = {"library": str(_library()), "readable": self._shown(), "group": self._group}
        with open(reading, "rb") as errors:
            try:
                ours.settimeout(_START_S)
                ours.sendall(frames.encode(frames.START, 0, msgspec.json.encode(start)))
                if ours.recv(frames.HEAD_SIZE) != frames.encode(frames.READY, 0):
                    self._process.wait()
                    raise OSError(0, _last_line(errors.read()))
            except OSError:
                ours.close()
                self._process.kill()
                self._process.wait()
                raise
        ours.settimeout(None)
        self._control = ours

    def _end_warden(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            end_groups("", self._group)

    def _shown(self) -> list[str]:
        return [str(path) for path in (*python_paths(), _library(), *self._readable)]


class Sandboxed:
    """A program in its sandbox. Its exit status is known to the warden alone: 0 stands for any."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd = pidfd

    def poll(self) -> int | None:
        if self.returncode is None and has_ended(self._pidfd):
            self.returncode = 0
            os.close(self._pidfd)
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


def python_paths() -> list[Path]:
    """The standard library and the folder of its compiled modules, in their true places."""
    found = {Path(os.__file__).resolve().parent, Path(os.__file__).parent}
    library = Path(sys.base_prefix) / "lib"
    found.update(library.glob("libpython*.so*"))
    found.add(Path(sys.base_exec_prefix) / sys.platlibdir / f"python{sys.version_info[0]}")
    return sorted(path for path in found if path.exists())


def usable_uids() -> range:
    """Users of the host that workers may become, one each; empty where there are none for us."""
    if os.geteuid() != 0:
        return range(0)
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, count = (int(each) for each in line.split())
        if inside <= _FIRST_UID and inside + count >= _FIRST_UID + _UIDS:
            return range(_FIRST_UID, _FIRST_UID + _UIDS)
        if count > _LEAST_UIDS:
            # A container with a share of the host's users: those at its end are the least used.
            return range(inside + count - _LEAST_UIDS, inside + count - 2)
    return range(0)


def _library() -> Path:
    """The folder of `sallyport_app`, which the platform itself never loads."""
    spec = importlib.util.find_spec("sallyport_app")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _rest(sock: socket.socket) -> str:
    """What follows the start that was taken for a hello: from its colon on."""
    text = sock.recv(4096).decode("utf-8", "replace")
    return text[text.find(":") :] if ":" in text else ""


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "the warden ended as it started"
