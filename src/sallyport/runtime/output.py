"""Raw output: what a worker and whatever it started write to their standard output and error."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable
from typing import Final

from sallyport.runtime.logs import LineSplitter

_MOST_READS: Final = 16
_LARGEST_READ: Final = 65536


class RawOutput:
    """The pipe of one worker, read line by line. `before` is called before bytes are read, so
    that the call that wrote them is the one that runs."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipe: int,
        line: Callable[[bytes], None],
        before: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._pipe = pipe
        self._before = before
        self._splitter = LineSplitter(line)
        self._open = True
        self._taken = 0
        loop.add_reader(pipe, self._readable)

    def drain(self) -> None:
        """Read what there is now. What is written meanwhile may be of the next call."""
        self._take(self._waiting())

    def close(self) -> None:
        """Read the rest and close."""
        for _ in range(_MOST_READS):
            if not self._read(_LARGEST_READ):
                break
        self._splitter.end()
        self._open = False
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)

    def _readable(self) -> None:
        # A worker waits with its answer until what the call wrote is read. So what is there now is
        # of the call that runs when all earlier answers are known; what comes later may not be.
        size = self._waiting()
        if size == 0:
            # It is the end, or was read meanwhile.
            self._read(1)
            return
        until = self._taken + size
        self._before()
        if self._open:
            # To look may have been to drain.
            self._take(until - self._taken)

    def _waiting(self) -> int:
        """How many bytes are there."""
        count = bytearray(4)
        fcntl.ioctl(self._pipe, termios.FIONREAD, count)
        return int.from_bytes(count, sys.byteorder)

    def _take(self, size: int) -> None:
        """Read so many bytes, as they are there."""
        while size > 0:
            taken = self._read(min(size, _LARGEST_READ))
            if not taken:
                return
            size -= taken

    def _read(self, size: int) -> int:
        """Read once; how many bytes there were."""
        try:
            data = os.read(self._pipe, size)
        except BlockingIOError:
            return 0
        if not data:
            self._loop.remove_reader(self._pipe)
            return 0
        self._taken += len(data)
        self._splitter.feed(data)
        return len(data)
