"""Hello: a new worker's sockets, and how the platform learns which process holds their far ends."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sallyport.runtime import frames
from sallyport.runtime.answers import Answers

_CREDENTIALS = struct.Struct("iII")


class Tickets:
    """The right to start queued calls: a pipe that both sides read, so each ticket is had once.

    A call given to a worker behind others is run by the worker if it draws the ticket, and given
    to another worker if the platform does. The kernel says who was first.
    """

    SIZE = 4

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def far(self) -> int:
        """The worker's end, as long as it is no other process's."""
        return self._reading

    def put(self, ids: list[int]) -> None:
        """Lay down the tickets of calls, before these are sent. Raises `OSError`."""
        data = struct.pack(f"!{len(ids)}I", *ids)
        if os.write(self._writing, data) != len(data):
            raise BlockingIOError("the tickets did not fit")

    def take_back(self) -> set[int]:
        """The calls that the worker has not started and from now on cannot."""
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return set()
        whole = len(data) // self.SIZE
        return set(struct.unpack_from(f"!{whole}I", data))

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


class NoHello(Exception):
    """What came instead of a worker; the text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The platform's ends: the call socket, the capability socket, the pipe of raw output, tickets.

    `ending` is called before the worker is killed, `gone` once nothing of it is left. `heap_full`
    is what its language says on the raw output when it ends for want of memory, if it says it.
    `waits_for_output`: it answers a call when the raw output is read that the call wrote. `answers`
    is where it lays answers, if it does.
    """

    calls: socket.socket
    capabilities: socket.socket
    output: int
    tickets: Tickets
    ending: Callable[[], None] = lambda: None
    gone: Callable[[], None] = lambda: None
    heap_full: bytes | None = None
    waits_for_output: bool = False
    answers: Answers | None = None


def fork_worker(fork: Callable[[Path, list[int]], None], directory: Path) -> Ends:
    """Have a worker forked that has the other ends. Raises `OSError` as `fork` does."""
    ours, calls = socket.socketpair()
    capabilities, requests = socket.socketpair()
    output, raw = os.pipe()
    tickets, answers = Tickets(), Answers()
    try:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        fork(directory, [calls.fileno(), requests.fileno(), tickets.far, answers.far, raw])
    except OSError:
        ours.close()
        capabilities.close()
        os.close(output)
        tickets.close()
        answers.close()
        raise
    finally:
        calls.close()
        requests.close()
        answers.close_far()
        os.close(raw)
    os.set_blocking(output, False)
    return Ends(ours, capabilities, output, tickets, waits_for_output=True, answers=answers)


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
