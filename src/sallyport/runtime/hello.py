"""Hello: a new worker's sockets, and how the platform learns which process holds their far ends."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sallyport.runtime import frames

_CREDENTIALS = struct.Struct("iII")


class NoHello(Exception):
    """What came instead of a worker; the text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The platform's ends: the call socket, the capability socket, the pipe of raw output.

    `ending` is called before the worker is killed, `gone` once nothing of it is left. `heap_full`
    is what its language says on the raw output when it ends for want of memory, if it says it.
    """

    calls: socket.socket
    capabilities: socket.socket
    output: int
    ending: Callable[[], None] = lambda: None
    gone: Callable[[], None] = lambda: None
    heap_full: bytes | None = None


def fork_worker(fork: Callable[[Path, list[int]], None], directory: Path) -> Ends:
    """Have a worker forked that has the other ends. Raises `OSError` as `fork` does."""
    ours, calls = socket.socketpair()
    capabilities, requests = socket.socketpair()
    output, raw = os.pipe()
    try:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        fork(directory, [calls.fileno(), requests.fileno(), raw])
    except OSError:
        ours.close()
        capabilities.close()
        os.close(output)
        raise
    finally:
        calls.close()
        requests.close()
        os.close(raw)
    os.set_blocking(output, False)
    return Ends(ours, capabilities, output)


def read_hello(sock: socket.socket) -> tuple[int, int]:
    """The process that said hello and a pidfd of it: the kernel's word, not the app's.

    Raises `NoHello`.
    """
    try:
        data, ancillary, _, _ = sock.recvmsg(frames.HEAD_SIZE, socket.CMSG_SPACE(_CREDENTIALS.size))
    except OSError:
        data, ancillary = b"", []
    pid = _sender(ancillary)
    if data != frames.encode(frames.HELLO, 0) or pid is None:
        raise NoHello("it broke the frame protocol" if data else "it ended as it started")
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        raise NoHello("it ended as it started") from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    return pid, pidfd


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid: int = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
            return pid if pid > 0 else None
    return None
