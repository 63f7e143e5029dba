"""Exchange: how app code asks the platform for something and waits for the reply."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sallyport.runtime import frames
else:
    import _sallyport_frames as frames


class Exchange:
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
                data = self._sock.recv(65_536)
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
