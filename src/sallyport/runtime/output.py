"""Raw output: what a worker and whatever it started write to their standard output and error."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from sallyport.runtime.logs import LineSplitter

_MOST_READS: Final = 16


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
        loop.add_reader(pipe, self._readable)

    def drain(self) -> None:
        """Read what there is now."""
        for _ in range(_MOST_READS):
            if not self._read():
                return

    def close(self) -> None:
        """Read the rest and close."""
        self.drain()
        self._splitter.end()
        self._open = False
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)

    def _readable(self) -> None:
        self._before()
        if self._open:
            self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._pipe)
            return False
        self._splitter.feed(data)
        return True
