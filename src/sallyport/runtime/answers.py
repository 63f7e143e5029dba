"""Answers: the pipe in which a worker lays the answers of calls that others follow.

It tells over its call socket how much it has laid down (LAID), once for many. What is in the pipe
is the kernel's: it cannot change while it is read, and it is still there when the worker has ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from sallyport.runtime.frames import LARGEST_LAID, Frame, FrameError, Reader, read_laid

# Four times what the kernel holds, unless the worker has made its pipe larger itself.
_MOST_UNTAKEN: Final = 256 * 1024
_CHUNK: Final = 64 * 1024


class Answers:
    """The platform's end. What it gives out are frames in order; nothing in them is believed.

    Where the worker breaks a rule, `FrameError` is raised behind the frames that came before.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._reader = Reader(LARGEST_LAID)
        self._untaken = b""
        # Bytes that were taken before they were told of.
        self._ahead = 0

    @property
    def far(self) -> int:
        """The worker's end."""
        return self._writing

    def close_far(self) -> None:
        """The worker has its end."""
        os.close(self._writing)

    def told(self, payload: bytes) -> Iterator[Frame]:
        """The frames that a LAID speaks of and that were not taken before."""
        size = read_laid(payload)
        if size == 0:
            raise FrameError("nothing was told of")
        known = min(size, self._ahead)
        self._ahead -= known
        size -= known
        if size > len(self._untaken):
            self.fetch()
        if size > len(self._untaken):
            raise FrameError("the answers that were told of are not there")
        data, self._untaken = self._untaken[:size], self._untaken[size:]
        yield from self._frames(data)

    def fetch(self) -> None:
        """Read all that lies there by now, up to what may lie there."""
        while len(self._untaken) <= _MOST_UNTAKEN:
            try:
                data = os.read(self._reading, _CHUNK)
            except BlockingIOError:
                return
            self._untaken += data
            if len(data) < _CHUNK:
                return

    def rest(self) -> Iterator[Frame]:
        """The frames that were fetched and not told of."""
        data, self._untaken = self._untaken, b""
        self._ahead += len(data)
        yield from self._frames(data)
        if len(data) > _MOST_UNTAKEN:
            raise FrameError("more was laid down than a pipe holds")

    def close(self) -> None:
        os.close(self._reading)

    def _frames(self, data: bytes) -> Iterator[Frame]:
        yield from self._reader.feed(data)
        if self._reader.holds:
            raise FrameError("an answer was laid down in part")
