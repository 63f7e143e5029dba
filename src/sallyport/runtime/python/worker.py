"""The worker: a fork of the zygote that runs the calls of one installation, one at a time."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from sallyport_app import Context, Request, _platform

if TYPE_CHECKING:
    import asyncio

    from sallyport.runtime import frames, headers
    from sallyport.runtime.python import capture, confine
else:
    import _sallyport_capture as capture
    import _sallyport_confine as confine
    import _sallyport_frames as frames
    import _sallyport_headers as headers

_LOG_LINES = 110
_LOG_BYTES = 256 * 1024
OUT_OF_MEMORY = "the function needed more memory than memoryMB allows"


class BadResult(Exception):
    """What the handler returned cannot be sent; the text says what to change."""


class TooLarge(BadResult):
    """What the handler returned is more than may be sent."""


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

    `fds` are the call socket, the capability socket and the pipe for raw output.
    """
    zygote = os.getppid()
    os.setsid()
    confine.die_with(zygote)
    confine.adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    calls, capabilities = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
    os.dup2(fds[2], 1)
    os.dup2(fds[2], 2)
    os.close(fds[2])
    os.chdir(directory)
    os.environ.update({"HOME": directory, "TMPDIR": directory})
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    seed()
    try:
        Worker(calls, capabilities, source, log).serve()
    except (OSError, frames.FrameError):
        os._exit(1)
    os._exit(0)


def begin_in_sandbox(fds: list[int], zygote: Any, preloaded: list[str]) -> NoReturn:
    """Make a worker of this fresh fork, which is in its sandbox; import the app and serve calls.

    `fds` are the birth socket, the call socket, the capability socket and the pipe for raw output.
    Over the birth socket it says hello before a line of the app runs, then learns what the app is,
    tells what of it could not be imported, and waits for the word to begin.
    """
    birth, calls, capabilities = (socket.socket(fileno=fd) for fd in fds[:3])
    birth.sendall(frames.encode(frames.HELLO, 0))
    confine.adopt_orphans()
    os.dup2(fds[3], 1)
    os.dup2(fds[3], 2)
    os.close(fds[3])
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
        Worker(calls, capabilities, source, log).serve()
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
        source: Path,
        log: capture.Capture,
    ) -> None:
        self._calls = calls
        self._sending = threading.Lock()
        self._sender = 0
        self._source = source
        self._log = log
        self._lines = 0
        self._bytes = 0
        self._handlers: dict[str, tuple[Callable[..., Any], int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        log.emit = self._emit
        exchange = _Exchange(capabilities)
        _platform.connect(exchange)
        os.register_at_fork(after_in_child=self._forked)
        self._exchange = exchange

    def serve(self) -> None:
        """Run calls until the platform closes the socket."""
        self._send(frames.encode(frames.HELLO, 0))
        reader = frames.Reader(frames.LARGEST_CALL)
        while data := self._calls.recv(262_144):
            for frame in reader.feed(data):
                if frame.kind != frames.CALL:
                    raise frames.FrameError("only calls come here")
                self._lines = self._bytes = 0
                self._run(frame.id, frame.payload)

    def _run(self, id: int, payload: bytes) -> None:
        header, body = frames.split(payload)
        call = json.loads(header)
        try:
            answer, content = convert(self._invoke(call, body), call["context"].get("moduleType"))
        except TooLarge as error:
            self._fail(id, "too_large", str(error), None)
        except BadResult as error:
            self._fail(id, "bad_result", str(error), None)
        except MemoryError as error:
            self._fail(id, "out_of_memory", OUT_OF_MEMORY, self._trace(error))
        except MissingFunction as error:
            self._fail(id, "import_error", str(error), None)
        except BaseException as error:
            self._fail(id, "exception", describe(error), self._trace(error))
        else:
            self._log.end()
            self._send(*frames.encode_parts(frames.RESULT, id, _with_leftovers(answer), content))

    def _invoke(self, call: dict[str, Any], body: bytes) -> Any:
        handler, arity = self._handler(call["handler"])
        request = Request(call["request"], body)
        if arity == 1:
            result = handler(request)
        else:
            deadline = time.monotonic() + call["timeoutMs"] / 1000
            result = handler(request, Context(call["context"], deadline))
        if inspect.isawaitable(result):
            return self._wait_for(result)
        return result

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

    def _fail(self, id: int, kind: str, message: str, trace: str | None) -> None:
        self._log.end()
        failure = {"kind": kind, "message": message, "trace": trace}
        self._send(*frames.encode_parts(frames.FAILURE, id, _with_leftovers(failure), b""))

    def _trace(self, error: BaseException) -> str:
        inner = error.__traceback__
        while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
            inner = inner.tb_next
        try:
            text = "".join(traceback.format_exception(type(error), error, inner))
        except BaseException:
            return describe(error)
        return text.replace(f"{self._source.parent}{os.sep}", "").rstrip()[-16_000:]

    def _emit(self, level: int, line: bytes) -> None:
        line = line[: frames.LARGEST_LOG_LINE]
        self._lines += 1
        self._bytes += len(line)
        # The platform counts exactly; past its bounds, sending more would only cost time.
        if self._lines <= _LOG_LINES and self._bytes <= _LOG_BYTES:
            self._send(frames.encode(frames.LOG, 0, bytes((level,)) + line))

    def _send(self, *pieces: bytes) -> None:
        me = threading.get_ident()
        if self._sender == me:
            # A finalizer or signal handler prints in the midst of a frame of its own thread.
            return
        with self._sending:
            self._sender = me
            try:
                for piece in pieces:
                    if piece:
                        self._calls.sendall(piece)
            finally:
                self._sender = 0

    def _forked(self) -> None:
        # A child of the app's own is no worker: it speaks neither for the call nor to the platform.
        self._calls.close()
        self._exchange.close()
        self._log.emit = _write_raw


class _Exchange:
    """Sends capability requests and waits for their replies; any thread may, all at a time.

    One of the waiting threads reads for all: each reply goes to the thread whose number it has.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._ids = itertools.count(1)
        self._reader = frames.Reader(frames.LARGEST_REPLY)
        self._replies: dict[int, bytes | None] = {}
        self._someone_reads = False

    def __call__(self, header: bytes, body: bytes) -> tuple[bytes, bytes]:
        if len(header) > frames.LARGEST_HEADER or len(body) > frames.LARGEST_BODY:
            raise ValueError("the request is larger than 5 MB")
        with self._changed:
            id = next(self._ids) % 2**32
            self._replies[id] = None
        try:
            pieces = frames.encode_parts(frames.REQUEST, id, header, body)
            with self._sending:
                for piece in pieces:
                    if piece:
                        self._sock.sendall(piece)
            return frames.split(self._wait(id))
        finally:
            with self._changed:
                self._replies.pop(id, None)

    def close(self) -> None:
        self._sock.close()
        # A thread that is not in this process may have held them.
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._someone_reads = False

    def _wait(self, id: int) -> bytes:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._replies[id] or not self._someone_reads)
                reply = self._replies[id]
                if reply is not None:
                    return reply
                self._someone_reads = True
            found: list[frames.Frame] = []
            try:
                data = self._sock.recv(262_144)
                if not data:
                    raise ConnectionError("the platform closed the capability socket")
                found.extend(self._reader.feed(data))
            finally:
                with self._changed:
                    self._someone_reads = False
                    for frame in found:
                        if frame.id in self._replies:
                            self._replies[frame.id] = frame.payload
                    self._changed.notify_all()


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


def convert(result: Any, module_type: str | None = None) -> tuple[dict[str, Any], bytes]:
    """A handler's result as status and headers, and body bytes. Raises `BadResult`.

    The shape is contract section (e.5); members other than these three are ignored. A web trigger
    may name one of its static outputs instead; what a scheduled trigger returns goes nowhere.
    """
    if module_type == "scheduledTrigger":
        return {"status": 204, "headers": []}, b""
    if module_type == "webtrigger" and isinstance(result, Mapping) and "statusCode" not in result:
        key = result.get("outputKey")
        if isinstance(key, str) and len(key) <= 255:
            return {"status": 204, "headers": [(headers.OUTPUT_KEY, quote(key))]}, b""
    if not isinstance(result, Mapping):
        raise BadResult(
            f"the handler returned {type(result).__name__}; return a dict with 'statusCode'"
        )
    status = result.get("statusCode")
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise BadResult(f"'statusCode' must be an integer from 200 to 599, not {status!r:.100}")
    body = _body(result.get("body"))
    if len(body) > frames.LARGEST_BODY:
        raise TooLarge("the body is larger than 5 MB")
    pairs = _headers(result.get("headers"))
    problem = headers.check_headers(pairs)
    if problem is not None:
        raise BadResult(problem)
    return {"status": int(status), "headers": pairs}, body


def describe(error: BaseException) -> str:
    """The exception in one line."""
    with contextlib.suppress(BaseException):
        return f"{type(error).__name__}: {error}"[:1000]
    return type(error).__name__


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    try:
        if isinstance(body, str):
            return body.encode()
        if isinstance(body, (bytes, bytearray, memoryview)):
            return bytes(body)
        if isinstance(body, (Mapping, list, tuple)):
            return json.dumps(
                body, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadResult(f"'body' cannot be sent: {error}") from None
    raise BadResult(f"'body' must be str, bytes, dict, list or None, not {type(body).__name__}")


def _headers(found: Any) -> list[tuple[str, str]]:
    if found is None:
        return []
    if not isinstance(found, Mapping):
        raise BadResult(f"'headers' must be a dict, not {type(found).__name__}")
    pairs = []
    for name, values in found.items():
        if not isinstance(name, str):
            raise BadResult(f"a header's name must be str, not {type(name).__name__}")
        for value in values if isinstance(values, (list, tuple)) else (values,):
            if not isinstance(value, str):
                raise BadResult(f"the header {name!r} must be str or a list of str")
            if name.lower() != "content-length":
                pairs.append((name.lower(), value))
    return pairs


def _with_leftovers(header: dict[str, Any]) -> bytes:
    """The header as JSON; it says so where the call left processes behind."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        pass
    else:
        header["children"] = True
    return json.dumps(header).encode()


def _write_raw(level: int, line: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2 if level >= capture.ERROR else 1, line + b"\n")
