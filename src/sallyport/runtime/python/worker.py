"""The worker: a fork of the zygote that runs the calls of one installation, one at a time.

It is given calls before it has answered the last one. Each is answered before the next begins, and
those that came behind others begin only with their tickets (docs/decisions/0013).
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import inspect
import json
import os
import signal
import socket
import sys
import termios
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sallyport_app import Context, Request, _platform

if TYPE_CHECKING:
    import asyncio

    from sallyport.runtime import frames
    from sallyport.runtime.python import capture, confine, exchange, late, outgoing, results
else:
    import _sallyport_capture as capture
    import _sallyport_confine as confine
    import _sallyport_exchange as exchange
    import _sallyport_frames as frames
    import _sallyport_late as late
    import _sallyport_outgoing as outgoing
    import _sallyport_results as results

_NOTHING = bytes(4)
_TICKET = 4
_DRAINED_WITHIN = 1.0
# For more, the C library would map new memory for each read.
_CHUNK = 64 * 1024
_LOG_LINES = 110
_LOG_BYTES = 256 * 1024
OUT_OF_MEMORY = "the function needed more memory than memoryMB allows"


class MissingFunction(Exception):
    """The handler is not in its module."""


def prepare(functions: list[str]) -> None:
    """Import, in the zygote, what the handlers will need in every worker."""
    for name in functions:
        module, _, function = name.rpartition(".")
        handler = getattr(sys.modules.get(module.replace("/", ".")), function, None)
        if inspect.iscoroutinefunction(handler):
            importlib.import_module("asyncio")


def begin(
    directory: str, fds: list[int], source: Path, log: capture.Capture, seed: Callable[[], None]
) -> NoReturn:
    """Make a worker of this fresh fork and serve calls until the platform closes the socket.

    `fds` are the call socket, the capability socket, the tickets, and the pipes for answers and
    for raw output.
    """
    zygote = os.getppid()
    os.setsid()
    confine.die_with(zygote)
    confine.adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    calls, capabilities = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
    os.dup2(fds[4], 1)
    os.dup2(fds[4], 2)
    os.chdir(directory)
    os.environ.update({"HOME": directory, "TMPDIR": directory})
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    seed()
    try:
        Worker(calls, capabilities, fds[2], fds[3], fds[4], source, log).serve()
    except (OSError, frames.FrameError):
        os._exit(1)
    os._exit(0)


def begin_in_sandbox(fds: list[int], zygote: Any, preloaded: list[str]) -> NoReturn:
    """Make a worker of this fresh fork, which is in its sandbox; import the app and serve calls.

    `fds` are the birth socket, the call socket, the capability socket, the tickets, and the pipes
    for answers and for raw output. Over the birth socket it says hello before a line of the app
    runs, then learns what the app is, tells what of it could not be imported, and waits for the
    word to begin.
    """
    birth, calls, capabilities = (socket.socket(fileno=fd) for fd in fds[:3])
    birth.sendall(frames.encode(frames.HELLO, 0))
    confine.adopt_orphans()
    os.dup2(fds[5], 1)
    os.dup2(fds[5], 2)
    start = _read_start(birth)
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "HOME": os.getcwd(), "TMPDIR": os.getcwd()})
    os.environ.update(start["variables"])
    source = Path("/app/src")
    sys.path.insert(0, str(source))
    sys.path.append(str(source.parent / "packages"))
    sys.dont_write_bytecode = True
    for name in preloaded:
        if (source / f"{name}.py").exists() or (source / name).exists():
            # The app's own module comes first, as for any Python that has not loaded another.
            sys.modules.pop(name, None)

    def emit(level: int, line: bytes) -> None:
        line = line[: frames.LARGEST_LOG_LINE]
        birth.sendall(frames.encode(frames.LOG, 0, bytes((level,)) + line))

    log = capture.Capture(emit)
    log.install()
    errors = zygote.import_modules(source, start["functions"])
    log.end()
    try:
        birth.sendall(frames.encode(frames.READY, 0, json.dumps({"errors": errors}).encode()))
        if not birth.recv(frames.HEAD_SIZE):
            os._exit(0)
        birth.close()
        Worker(calls, capabilities, fds[3], fds[4], fds[5], source, log).serve()
    except (OSError, frames.FrameError):
        os._exit(1)
    os._exit(0)


def _read_start(birth: socket.socket) -> dict[str, Any]:
    reader = frames.Reader(frames.LARGEST_REQUEST)
    while data := birth.recv(65536):
        for frame in reader.feed(data):
            found: dict[str, Any] = json.loads(frame.payload)
            return found
    os._exit(0)


class Worker:
    """Runs handlers: reads a CALL, answers RESULT or FAILURE, sends LOG lines on the way."""

    def __init__(
        self,
        calls: socket.socket,
        capabilities: socket.socket,
        tickets: int,
        answers: int,
        output: int,
        source: Path,
        log: capture.Capture,
    ) -> None:
        self._calls = calls
        self._tickets = tickets
        self._drawn: int | None = None
        self._output = output
        self._written = bytearray(4)
        self._outgoing = outgoing.Outgoing(calls, answers)
        # How many of the calls that came together are behind the one that runs.
        self._behind = 0
        self._source = source
        self._log = log
        self._lines = 0
        self._bytes = 0
        self._handlers: dict[str, tuple[Callable[..., Any], int]] = {}
        # What the platform says of every call of a function: there are as many as functions.
        self._orders: dict[bytes, dict[str, Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        log.emit = self._emit
        self._exchange = exchange.Exchange(capabilities)
        _platform.connect(self._exchange)
        os.register_at_fork(after_in_child=self._forked)

    def serve(self) -> None:
        """Run calls until the platform closes the socket."""
        self._outgoing.say(frames.encode(frames.HELLO, 0))
        reader = frames.Reader(frames.LARGEST_CALL)
        while data := self._calls.recv(_CHUNK):
            self._outgoing.begin()
            given = list(reader.feed(data))
            self._behind = len(given)
            for kind, id, payload in given:
                self._behind -= 1
                if kind == frames.QUEUED:
                    if not self._draw(id):
                        continue
                elif kind != frames.CALL:
                    raise frames.FrameError("only calls come here")
                self._lines = self._bytes = 0
                if self._run(id, payload):
                    # The platform ends this worker; what came behind the call is for another.
                    signal.pause()
            # The last of them may not have been ours.
            self._outgoing.tell()

    def _draw(self, id: int) -> bool:
        """Whether the ticket of this call is ours; else the platform has taken it back."""
        if self._drawn is None:
            try:
                ticket = os.read(self._tickets, _TICKET)
            except BlockingIOError:
                return False
            self._drawn = int.from_bytes(ticket, "big")
        if self._drawn != id:
            # It is of a later call: those before that were taken back.
            return False
        self._drawn = None
        return True

    def _run(self, id: int, payload: bytes) -> bool:
        """Run a call and answer it; whether it left processes behind."""
        order, request, context, body = frames.split_call(payload)
        call = self._orders.get(order)
        if call is None:
            call = self._orders[order] = json.loads(order.decode())
        try:
            result = self._invoke(call, late.Late(request), late.Late(context), body)
            header, content = results.convert(result, call["moduleType"])
        except results.TooLarge as error:
            return self._fail(id, "too_large", str(error), None)
        except results.BadResult as error:
            return self._fail(id, "bad_result", str(error), None)
        except MemoryError as error:
            return self._fail(id, "out_of_memory", OUT_OF_MEMORY, self._trace(error))
        except MissingFunction as error:
            return self._fail(id, "import_error", str(error), None)
        except BaseException as error:
            return self._fail(id, "exception", results.describe(error), self._trace(error))
        self._end_output()
        leftovers = has_leftovers()
        if leftovers:
            header = results.with_leftovers(header)
        if self._behind and not leftovers:
            self._outgoing.lay(frames.encode_answer(frames.RESULT, id, header, content))
        else:
            self._outgoing.say(*frames.encode_parts(frames.RESULT, id, header, content))
        return leftovers

    def _invoke(
        self, call: dict[str, Any], request: late.Late, context: late.Late, body: bytes
    ) -> Any:
        handler, arity = self._handler(call["handler"])
        if arity == 1:
            result = handler(Request(request, body))
        else:
            deadline = time.monotonic() + call["timeoutMs"] / 1000
            result = handler(Request(request, body), Context(context, deadline))
        if type(result) is not dict and inspect.isawaitable(result):
            return self._wait_for(result)
        return result

    def _end_output(self) -> None:
        """Lines without an end are lines too, and raw output is read before the answer comes."""
        self._log.end()
        if not self._has_output():
            return
        until = time.monotonic() + _DRAINED_WITHIN
        while self._has_output() and time.monotonic() < until:
            time.sleep(0.0002)

    def _has_output(self) -> bool:
        try:
            fcntl.ioctl(self._output, termios.FIONREAD, self._written)
        except OSError:
            return False
        return self._written != _NOTHING

    def _wait_for(self, awaitable: Any) -> Any:
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)

        async def wait() -> Any:
            return await awaitable

        return self._loop.run_until_complete(wait())

    def _handler(self, name: str) -> tuple[Callable[..., Any], int]:
        found = self._handlers.get(name)
        if found is None:
            module, _, function = name.rpartition(".")
            handler = getattr(sys.modules.get(module.replace("/", ".")), function, None)
            if not callable(handler):
                raise MissingFunction(f"src/{module}.py has no function {function!r}")
            found = self._handlers[name] = (handler, arity(handler))
        return found

    def _fail(self, id: int, kind: str, message: str, trace: str | None) -> bool:
        self._end_output()
        leftovers = has_leftovers()
        failure = {"kind": kind, "message": message, "trace": trace, "children": leftovers}
        header = json.dumps(failure).encode()
        self._outgoing.say(*frames.encode_parts(frames.FAILURE, id, header, b""))
        return leftovers

    def _trace(self, error: BaseException) -> str:
        inner = error.__traceback__
        while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
            inner = inner.tb_next
        try:
            text = "".join(traceback.format_exception(type(error), error, inner))
        except BaseException:
            return results.describe(error)
        return text.replace(f"{self._source.parent}{os.sep}", "").rstrip()[-16_000:]

    def _emit(self, level: int, line: bytes) -> None:
        line = line[: frames.LARGEST_LOG_LINE]
        self._lines += 1
        self._bytes += len(line)
        # The platform counts exactly; past its bounds, sending more would only cost time.
        if self._lines <= _LOG_LINES and self._bytes <= _LOG_BYTES:
            self._outgoing.say(frames.encode(frames.LOG, 0, bytes((level,)) + line))

    def _forked(self) -> None:
        # A child of the app's own is no worker: it speaks neither for the call nor to the platform.
        self._outgoing.close()
        os.close(self._tickets)
        self._exchange.close()
        self._log.emit = _write_raw


def arity(handler: Callable[..., Any]) -> int:
    """1 where the handler takes the request alone, else 2: the request and the context."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return 1 if len(positional) == 1 else 2


def has_leftovers() -> bool:
    """Whether the call left processes behind."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _write_raw(level: int, line: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2 if level >= capture.ERROR else 1, line + b"\n")
