"""The warden: starts every sandboxed process, and never runs a line of app code itself.

Started as `python -I -S warden.py <descriptor> <parent pid>`; the descriptor is its control socket.
It has Python and our library in memory, so that a fork of it is a worker in a few milliseconds; and
it lives in namespaces of its own, as the first process of theirs, so that the kernel ends every
worker when it ends. What it forks enters a sandbox first, then says hello, and only then is told
which app to import: app code never shares a process with another installation, nor with the warden.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
SANDBOX: Final = HERE.parent / "sandbox"
_SANDBOX_MODULES: Final = ("kernel", "filter", "enter", "groups", "check")

# What many apps import; in the warden's memory it costs no worker anything.
_MANY_IMPORT: Final = """
    asyncio base64 collections contextlib copy csv dataclasses datetime decimal email.message
    enum functools hashlib heapq hmac html http itertools math operator pathlib random re
    secrets statistics string tempfile textwrap threading time traceback types typing
    unicodedata urllib.parse uuid zoneinfo
"""
PRELOADED: Final = _MANY_IMPORT.split()


def load(name: str, path: Path) -> ModuleType:
    """Import one file under a name that no app module has."""
    spec = importlib.util.spec_from_file_location(
        name,
        path,
        submodule_search_locations=[str(path.parent)] if path.stem == "__init__" else None,
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_runtime(library: Path) -> dict[str, ModuleType]:
    """Everything of ours that workers need, by its short name."""
    found = {name: load(f"_sallyport_{name}", SANDBOX / f"{name}.py") for name in _SANDBOX_MODULES}
    found["frames"] = load("_sallyport_frames", HERE.parent / "frames.py")
    found["headers"] = load("_sallyport_headers", HERE.parent / "headers.py")
    found["confine"] = load("_sallyport_confine", HERE / "confine.py")
    found["capture"] = load("_sallyport_capture", HERE / "capture.py")
    found["zygote"] = load("_sallyport_zygote", HERE / "zygote.py")
    load("sallyport_app", library / "__init__.py")
    for name in ("results", "exchange", "late", "outgoing"):
        load(f"_sallyport_{name}", HERE / f"{name}.py")
    found["worker"] = load("_sallyport_worker", HERE / "worker.py")
    return found


def main() -> None:
    # Python itself may have put a locale there.
    os.environ.clear()
    control = socket.socket(fileno=int(sys.argv[1]))
    confine = load("_sallyport_confine", HERE / "confine.py")
    confine.die_with(int(sys.argv[2]))
    frames = load("_sallyport_frames", HERE.parent / "frames.py")
    start = _read_start(control, frames)
    runtime = load_runtime(Path(start["library"]))
    enter_namespaces(runtime["kernel"], runtime["enter"])
    child = os.fork()
    if child:
        control.close()
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    confine.die_with(0)
    runtime["enter"].build_root(start["readable"])
    groups = runtime["groups"].find_groups(runtime["enter"].HOST, start["group"])
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    warden = Warden(control, runtime, groups)
    gc.collect()
    gc.freeze()
    control.sendall(frames.encode(frames.READY, 0))
    warden.serve()


def enter_namespaces(kernel: ModuleType, enter: ModuleType) -> None:
    """Leave the host's namespaces; the next fork is the first process of the new ones."""
    if not kernel.may_administer():
        enter.own_user_namespace(os.getuid(), os.getgid())
    kernel.unshare(
        kernel.NEW_MOUNTS
        | kernel.NEW_PROCESSES
        | kernel.NEW_NETWORK
        | kernel.NEW_IPC
        | kernel.NEW_UTS
    )


class Warden:
    """Forks a worker for each order that comes over the control socket."""

    def __init__(self, control: socket.socket, runtime: dict[str, ModuleType], groups: Any) -> None:
        self._control = control
        self._runtime = runtime
        self._frames: Any = runtime["frames"]
        self._groups = groups
        self._grouped: dict[int, str] = {}
        self._myself = os.pidfd_open(os.getpid())
        self._seed = runtime["zygote"].reseed()

    def serve(self) -> NoReturn:
        """Take orders until the platform closes the socket."""
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())
        while True:
            order, fds = self._read_order()
            if not fds:
                os._exit(0)
            with contextlib.suppress(OSError):
                self._start(order, fds)
            for fd in fds:
                os.close(fd)

    def _start(self, order: dict[str, Any], fds: list[int]) -> None:
        kernel: Any = self._runtime["kernel"]
        # Children are born where the last unshare said: first back, or it would nest.
        kernel.enter(self._myself, kernel.NEW_PROCESSES)
        kernel.unshare(kernel.NEW_PROCESSES)
        group = self._groups.make(order["memory_mb"], order["processes"])
        # A child that ends at once must not be reaped before its group is noted.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
                self._become(order, fds, group)
            except BaseException as error:
                os.write(fds[0], f"The sandbox could not be entered: {error}".encode())
            os._exit(1)
        self._grouped[child] = group
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _become(self, order: dict[str, Any], fds: list[int], group: str) -> None:
        """Enter the sandbox and serve: `fds` are those of an order, the output last."""
        self._control.close()
        os.close(self._myself)
        self._groups.join(group)
        if "command" in order:
            fds = _place(fds, order["descriptors"])
        enter: Any = self._runtime["enter"]
        os.setsid()
        enter.enter(
            order["bundle"],
            enter.Limits(
                memory_mb=order["memory_mb"],
                uid=order["uid"],
                scratch_mb=order["scratch_mb"],
                processes=order["processes"],
                may_execute="command" in order,
            ),
        )
        if "command" in order:
            os.write(fds[0], self._frames.encode(self._frames.HELLO, 0))
            os.close(fds[0])
            environment = {"PATH": "/usr/bin:/bin", "HOME": enter.SCRATCH, "TMPDIR": enter.SCRATCH}
            os.execve(order["command"][0], order["command"], environment)
        if order.get("check"):
            found = [*self._runtime["check"].what_holds(), *self._groups.places]
            hello = self._frames.encode(self._frames.HELLO, 0)
            os.write(fds[0], hello + json.dumps(found).encode())
            os._exit(0)
        self._seed()
        worker: Any = self._runtime["worker"]
        worker.begin_in_sandbox(fds, self._runtime["zygote"], PRELOADED)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                child, _ = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    return
                self._groups.remove(self._grouped.pop(child, ""))

    def _read_order(self) -> tuple[dict[str, Any], list[int]]:
        # The descriptors come with the first byte of their frame, and are lost to a read that
        # begins in the frame before: so no read goes past the end of a frame.
        data, fds, _, _ = socket.recv_fds(self._control, self._frames.HEAD_SIZE, 8)
        reader = self._frames.Reader(self._frames.MEGABYTE)
        while data:
            for frame in reader.feed(data):
                return json.loads(frame.payload), fds
            data = self._control.recv(reader.missing)
        return {}, []


def _place(fds: list[int], numbers: list[int]) -> list[int]:
    """Give open files these numbers, for the program to come; the first keeps out of their way.

    `fds` are the birth socket, those to be placed, and the output, which becomes 1 and 2.
    """
    # First out of the way of the numbers that they are to have.
    clear = max([*numbers, 2, *fds]) + 1
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, clear) for fd in fds]
    for fd in fds:
        os.close(fd)
    for fd, number in zip(moved[1:], [*numbers, 1], strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
    os.dup2(1, 2)
    return moved[:1]


def _read_start(control: socket.socket, frames: Any) -> dict[str, Any]:
    reader = frames.Reader(frames.LARGEST_REQUEST)
    while data := control.recv(65536):
        for frame in reader.feed(data):
            found: dict[str, Any] = json.loads(frame.payload)
            return found
    os._exit(0)


if __name__ == "__main__":
    main()
