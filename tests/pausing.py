"""A pause in the middle of a transaction, on either database."""

from __future__ import annotations

import asyncio
import threading

from sallyport.store.connection import AtOnce
from sallyport.store.engine import Reader


class Pause:
    """A moment inside a verb or query at which a test does something else first."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._over = threading.Event()

    async def here(self, reader: Reader) -> None:
        self._reached.set()
        if isinstance(reader.conn, AtOnce):
            self._over.wait(30)
        else:
            await asyncio.to_thread(self._over.wait, 30)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 30)

    def over(self) -> None:
        self._over.set()
