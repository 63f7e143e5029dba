"""The zygote: imports the app's modules once, then forks a worker whenever one is asked for.

Started as `python -I -S zygote.py <descriptor> <parent pid>`; the descriptor is its control
socket. It runs no handler, so that nothing of one installation is in it for the next to find.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


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


def import_modules(source: Path, functions: list[str]) -> dict[str, list[str]]:
    """Import the module of every handler. Returns what failed: module -> [message, traceback]."""
    errors: dict[str, list[str]] = {}
    for name in dict.fromkeys(function.rpartition(".")[0] for function in functions):
        file = source / f"{name}.py"
        try:
            if not file.is_file():
                raise ModuleNotFoundError(f"there is no file src/{name}.py")
            module = importlib.import_module(name.replace("/", "."))
            if Path(module.__file__ or "").resolve() != file.resolve():
                raise ImportError(f"src/{name}.py has the name of a module of Python's; rename it")
        except BaseException as error:
            errors[name] = [_message(error), _trace(error, source)]
    return errors


def reseed() -> Callable[[], None]:
    """What a worker calls after the fork, so that no two draw the same random numbers."""
    if "random" not in sys.modules:
        return lambda: None
    import random

    generators = [
        thing
        for thing in gc.get_objects()
        if issubclass(type(thing), random.Random)
        and not issubclass(type(thing), random.SystemRandom)
    ]

    def seed() -> None:
        for generator in generators:
            generator.seed()

    return seed


def open_event_loops() -> bool:
    """Whether an import left an event loop of asyncio's behind."""
    events = sys.modules.get("asyncio.events")
    if events is None:
        return False
    return any(
        issubclass(type(thing), events.AbstractEventLoop) and not thing.is_closed()
        for thing in gc.get_objects()
    )


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    platform = int(sys.argv[2])
    frames = load("_sallyport_frames", HERE.parent / "frames.py")
    confine = load("_sallyport_confine", HERE / "confine.py")
    load("_sallyport_headers", HERE.parent / "headers.py")
    capture = load("_sallyport_capture", HERE / "capture.py")

    start = _read_start(control, frames)
    confine.die_with(platform)
    confine.adopt_orphans()
    confine.confine(start["memory_mb"], **start["confinement"])
    library = load("sallyport_app", Path(start["library"]) / "__init__.py")
    assert library is not None
    for name in ("results", "exchange", "late", "outgoing"):
        load(f"_sallyport_{name}", HERE / f"{name}.py")
    worker = load("_sallyport_worker", HERE / "worker.py")

    os.environ.clear()
    os.environ.update(
        {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.getcwd(), "TMPDIR": os.getcwd()}
    )
    os.environ.update(dict(start["variables"]))
    source = Path(start["source"])
    sys.path.insert(0, str(source))
    # Last, as for any Python: a package cannot take the place of a module of the app's or Python's.
    sys.path.append(str(source.parent / "packages"))
    # The bundle stays as it was deployed; our own files, above, may be cached.
    sys.dont_write_bytecode = True

    def emit(level: int, line: bytes) -> None:
        line = line[: frames.LARGEST_LOG_LINE]
        control.sendall(frames.encode(frames.LOG, 0, bytes((level,)) + line))

    log = capture.Capture(emit)
    log.install()
    errors = import_modules(source, start["functions"])
    worker.prepare(start["functions"])
    log.end()
    if threading.active_count() > 1:
        emit(
            capture.WARN,
            b"A module started threads while it was imported; they do not run in calls.",
        )
    if open_event_loops():
        emit(
            capture.WARN,
            b"A module made an event loop while it was imported and left it open; calls do not use "
            b"it, and what waits in it does not run.",
        )
    seed = reseed()
    gc.collect()
    gc.freeze()
    # Whoever ends from here on is reaped by the kernel: the platform watches workers by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.sendall(frames.encode(frames.READY, 0, json.dumps({"errors": errors}).encode()))

    while True:
        directory, fds = _read_fork(control, frames)
        if not fds:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            worker.begin(directory, fds, source, log, seed)
            os._exit(0)
        for fd in fds:
            os.close(fd)


def _read_start(control: socket.socket, frames: Any) -> dict[str, Any]:
    reader = frames.Reader(frames.LARGEST_REQUEST)
    while data := control.recv(65536):
        for frame in reader.feed(data):
            if frame.kind == frames.START:
                found: dict[str, Any] = json.loads(frame.payload)
                return found
    os._exit(0)


def _read_fork(control: socket.socket, frames: Any) -> tuple[str, list[int]]:
    # The descriptors come with the first byte of their frame, and are lost to a read that begins
    # in the frame before: so no read goes past the end of a frame.
    data, fds, _flags, _address = socket.recv_fds(control, frames.HEAD_SIZE, 8)
    reader = frames.Reader(4096)
    while data:
        for frame in reader.feed(data):
            return frame.payload.decode(), fds
        data = control.recv(reader.missing)
    return "", []


def _message(error: BaseException) -> str:
    with contextlib.suppress(BaseException):
        return f"{type(error).__name__}: {error}"[:1000]
    return type(error).__name__


def _trace(error: BaseException, source: Path) -> str:
    inner = error.__traceback__
    while inner is not None and not inner.tb_frame.f_code.co_filename.startswith(str(source)):
        inner = inner.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, inner))
    except BaseException:
        return _message(error)
    return text.replace(f"{source.parent}{os.sep}", "").rstrip()[-16_000:]


if __name__ == "__main__":
    main()
