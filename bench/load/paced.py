"""Requests at a fixed rate, whatever the answers do: `python -m bench.load.paced ...`.

A request is due at its moment. Its latency counts from then, also where it had to wait for a
connection, so that a server that stalls is charged with everything that it held up (no coordinated
omission). Needs a processor of its own: it polls, since sleeping is not exact to a tenth of a
millisecond. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_END = b"\r\n\r\n"
WARM_S = 0.5


@dataclass(slots=True)
class Line:
    """One connection; `due` is when the request on it should have been sent, None if it is free."""

    sock: socket.socket
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


def drive(url: str, token: str, rate: int, connections: int, seconds: float) -> dict[str, float]:
    """Send for a while and tell the latencies in milliseconds."""
    at = urlsplit(url)
    host, port = at.hostname or "127.0.0.1", at.port or 80
    sent = (
        f"GET {at.path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    poll = select.epoll()
    lines: dict[int, Line] = {}
    for _ in range(connections):
        made = socket.create_connection((host, port), timeout=10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        poll.register(made, select.EPOLLIN)
        lines[made.fileno()] = Line(made)
    free, waiting = deque(lines.values()), deque[float]()
    taken: list[float] = []
    failed = 0
    began = time.perf_counter() + 0.05
    counted, ends = began + WARM_S, began + WARM_S + seconds
    number = 0
    while True:
        now = time.perf_counter()
        while (due := began + number / rate) <= min(now, ends):
            waiting.append(due)
            number += 1
        while waiting and free:
            line = free.popleft()
            line.due = waiting.popleft()
            line.sock.send(sent)
        if now >= ends and (len(free) == connections or now >= ends + 10):
            break
        for number_of_file, _ in poll.poll(0):
            line = lines[number_of_file]
            data = line.sock.recv(65536)
            if not data:
                raise ConnectionError("the server closed a connection")
            line.got += data
            status = line.answer()
            if status is None:
                continue
            assert line.due is not None
            if line.due >= counted:
                taken.append((time.perf_counter() - line.due) * 1000)
                failed += not 200 <= status < 300
            line.due = None
            free.append(line)
    poll.close()
    for line in lines.values():
        line.sock.close()
    taken.sort()
    unanswered = len(waiting) + connections - len(free)
    return {
        "rate": round(len(taken) / seconds, 1),
        "p50_ms": round(taken[len(taken) // 2], 3),
        "p99_ms": round(taken[len(taken) * 99 // 100], 3),
        "requests": len(taken),
        "failed": failed + unanswered,
    }


def main() -> None:
    read = argparse.ArgumentParser(prog="python -m bench.load.paced")
    read.add_argument("url")
    read.add_argument("--rate", type=int, required=True)
    read.add_argument("--connections", type=int, required=True)
    read.add_argument("--seconds", type=float, required=True)
    given = read.parse_args()
    token = sys.stdin.readline().strip()
    found = drive(given.url, token, given.rate, given.connections, given.seconds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
