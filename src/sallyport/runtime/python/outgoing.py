"""Outgoing: what a worker tells the platform, in order: lines, and the answers of its calls.

The answer of a call that others follow is laid into a pipe that nobody waits at. So it wakes nobody
while this process has work, and is not lost where a later call ends it. One frame over the socket
then says how much lies there, ahead of whatever else is said. docs/decisions/0013 has the reasons.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sallyport.runtime import frames
else:
    import _sallyport_frames as frames

# Pieces below this size leave in one write.
_SMALL: Final = 64 * 1024
# For how long answers lie there unsaid while other calls run.
_UNSAID_S: Final = 0.0005


class Outgoing:
    """The call socket and the pipe of answers of one worker; any thread may speak."""

    def __init__(self, calls: socket.socket, answers: int) -> None:
        self._calls = calls
        self._answers = answers
        self._lock = threading.Lock()
        self._speaker = 0
        self._unsaid = 0
        self._said_at = 0.0

    def begin(self) -> None:
        """Calls came: the time begins for which their answers may lie unsaid."""
        self._said_at = time.monotonic()

    def say(self, *pieces: bytes) -> None:
        """Send a frame, behind the word of what was laid down before it."""
        me = threading.get_ident()
        if self._speaker == me:
            # A finalizer or signal handler prints in the midst of a frame of its own thread.
            return
        with self._lock:
            self._speaker = me
            try:
                self._say(pieces)
            finally:
                self._speaker = 0

    def lay(self, frame: bytes) -> None:
        """Lay down the answer of a call that another follows; it is told of soon."""
        with self._lock:
            self._speaker = threading.get_ident()
            try:
                if len(frame) > frames.LARGEST_LAID or self._is_due() or not self._laid(frame):
                    self._say((frame,))
            finally:
                self._speaker = 0

    def tell(self) -> None:
        """Tell of what was laid down, as no call follows at once."""
        if self._unsaid:
            self.say()

    def close(self) -> None:
        self._calls.close()
        os.close(self._answers)

    def _is_due(self) -> bool:
        return time.monotonic() - self._said_at > _UNSAID_S

    def _laid(self, frame: bytes) -> bool:
        """Whether the pipe took the frame: it takes one whole or not at all."""
        try:
            os.write(self._answers, frame)
        except BlockingIOError:
            return False
        self._unsaid += len(frame)
        return True

    def _say(self, pieces: tuple[bytes, ...]) -> None:
        if self._unsaid:
            pieces = (frames.encode_laid(self._unsaid), *pieces)
            self._unsaid = 0
        self._said_at = time.monotonic()
        if sum(map(len, pieces)) < _SMALL:
            self._calls.sendall(b"".join(pieces))
        else:
            for piece in pieces:
                self._calls.sendall(piece)
