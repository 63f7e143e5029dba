"""Requests at a fixed rate, whatever the answers do: `python -m bench.load.paced ...`.

A request is due at its moment. Its latency counts from then, also where it had to wait for a
connection, so that a server that stalls is charged with everything that it held up (no coordinated
omission). Needs a processor of its own: it polls, since sleeping is not exact to a tenth of a
millisecond. Several streams go from one process, so that none takes the processor from another.
Prints a line of JSON for each.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_END = b"\r\n\r\n"
WARM_S = 0.5


@dataclass(slots=True)
class Line:
    """One connection; `due` is when the request on it should have been sent, None if it is free."""

    sock: socket.socket
    stream: Stream
    due: float | None = None
    got: bytearray = field(default_factory=bytearray)

    def answer(self) -> int | None:
        """The status, once the whole answer is there. Raises `ValueError` for another framing."""
        end = self.got.find(_END)
        if end < 0:
            return None
        head = bytes(self.got[:end]).lower()
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(self.got) < end + len(_END) + int(length):
            return None
        self.got.clear()
        return int(head[9:12])


@dataclass(slots=True)
class Stream:
    """Requests to one URL, `dues` the moments that they are due at, in seconds from the start."""

    url: str
    token: str
    dues: Iterator[float]
    connections: int
    sent: bytes = b""
    due: float = 0.0
    free: deque[Line] = field(default_factory=deque)
    waiting: deque[float] = field(default_factory=deque)
    taken: list[float] = field(default_factory=list)
    failed: int = 0

    def open(self) -> list[Line]:
        at = urlsplit(self.url)
        host, port = at.hostname or "127.0.0.1", at.port or 80
        self.sent = (
            f"GET {at.path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n"
        ).encode()
        for _ in range(self.connections):
            made = socket.create_connection((host, port), timeout=10)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(False)
            self.free.append(Line(made, self))
        self.due = next(self.dues)
        return list(self.free)

    def send_due(self, began: float, now: float) -> None:
        while began + self.due <= now:
            self.waiting.append(began + self.due)
            self.due = next(self.dues)
        while self.waiting and self.free:
            line = self.free.popleft()
            line.due = self.waiting.popleft()
            line.sock.send(self.sent)

    @property
    def is_answered(self) -> bool:
        return len(self.free) == self.connections

    def found(self, seconds: float) -> dict[str, float]:
        taken = sorted(self.taken)
        unanswered = len(self.waiting) + self.connections - len(self.free)
        return {
            "rate": round(len(taken) / seconds, 1),
            "p50_ms": round(taken[len(taken) // 2], 3),
            "p99_ms": round(taken[len(taken) * 99 // 100], 3),
            "requests": len(taken),
            "failed": self.failed + unanswered,
        }


def evenly(rate: float) -> Iterator[float]:
    """One after the other, at the same distance."""
    return (number / rate for number in itertools.count())


def at_random(rate: float, seed: int = 1) -> Iterator[float]:
    """As many callers who know nothing of each other send them: a Poisson process."""
    draw = random.Random(seed)
    return itertools.accumulate(draw.expovariate(rate) for _ in itertools.repeat(None))


def drive(streams: list[Stream], seconds: float) -> list[dict[str, float]]:
    """Send for a while and tell the latencies of each stream in milliseconds."""
    poll = select.epoll()
    lines = {line.sock.fileno(): line for stream in streams for line in stream.open()}
    for number in lines:
        poll.register(number, select.EPOLLIN)
    began = time.perf_counter() + 0.05
    counted, ends = began + WARM_S, began + WARM_S + seconds
    while True:
        now = time.perf_counter()
        for stream in streams:
            stream.send_due(began, min(now, ends))
        if now >= ends and (all(each.is_answered for each in streams) or now >= ends + 10):
            break
        for number, _ in poll.poll(0):
            line = lines[number]
            data = line.sock.recv(65536)
            if not data:
                raise ConnectionError("the server closed a connection")
            line.got += data
            status = line.answer()
            if status is None:
                continue
            assert line.due is not None
            if line.due >= counted:
                line.stream.taken.append((time.perf_counter() - line.due) * 1000)
                line.stream.failed += not 200 <= status < 300
            line.due = None
            line.stream.free.append(line)
    poll.close()
    for line in lines.values():
        line.sock.close()
    return [stream.found(seconds) for stream in streams]


def main() -> None:
    read = argparse.ArgumentParser(prog="python -m bench.load.paced")
    read.add_argument("url")
    read.add_argument("--rate", type=int, required=True)
    read.add_argument("--connections", type=int, required=True)
    read.add_argument("--seconds", type=float, required=True)
    read.add_argument("--beside", metavar="URL", help="another stream, whose moments are random")
    read.add_argument("--beside-rate", type=int)
    read.add_argument("--beside-connections", type=int)
    given = read.parse_args()
    tokens = sys.stdin.read().split()
    streams = [Stream(given.url, tokens[0], evenly(given.rate), given.connections)]
    if given.beside:
        dues = at_random(given.beside_rate)
        streams.append(Stream(given.beside, tokens[1], dues, given.beside_connections))
    for found in drive(streams, given.seconds):
        print(json.dumps(found))


if __name__ == "__main__":
    main()
