"""Taking connections of a socket that several processes have."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from uvicorn.config import Config

from sallyport.app import Shares
from sallyport.cli.server import Server

_PAUSE_S: Final = 0.1
_LEAVE_S: Final = 0.002

_log = logging.getLogger(__name__)


class SharingServer(Server):
    """A server of which there are several on one socket; `share` makes it one of them.

    It takes one connection in each turn of its event loop, and leaves some to the others while it
    has more than its share. One that is held up takes none, and one that dies takes none with it
    but those that it had.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.acceptors: list[Acceptor] = []
        self._shares: Shares | None = None
        self._index = 0

    def share(self, shares: Shares, index: int) -> None:
        """Take part, as the process with this number."""
        self._shares, self._index = shares, index
        self._count()
        for each in self.acceptors:
            each.open()

    @property
    def connections(self) -> int:
        """How many connections this process has."""
        return len(self.server_state.connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        protocol: Any = self.config.http_protocol_class
        make = partial(
            protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self.acceptors = [
            Acceptor(each, make, self.config.ssl, self._has_enough) for each in sockets or []
        ]
        # They have of an asyncio server what uvicorn asks of one at its end.
        self.servers = self.acceptors  # type: ignore[assignment]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._shares is not None:
            self._shares.leave(self._index)
            self._shares = None
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        self._count()
        return await super().on_tick(counter)

    def _has_enough(self) -> bool:
        self._count()
        return self._shares is not None and self._shares.has_more_than_its_share(self._index)

    def _count(self) -> None:
        if self._shares is not None:
            beginning = sum(each.beginning for each in self.acceptors)
            self._shares.put(self._index, self.connections + beginning)


class Acceptor:
    """Takes connections of one socket once it is opened, while `has_enough` says no."""

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        has_enough: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make = make
        self._tls = tls
        self._has_enough = has_enough
        self._beginning: set[asyncio.Task[None]] = set()
        self._is_open = False
        listener.setblocking(False)

    @property
    def beginning(self) -> int:
        """How many connections are taken and not yet spoken through."""
        return len(self._beginning)

    def open(self) -> None:
        self._is_open = True
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Wait for nobody who has not shaken hands by now: no request has come from there."""
        for each in self._beginning:
            each.cancel()
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Without files to open there is nothing to do but wait for some to be closed.
            _log.error("a connection could not be taken: %s", error.strerror)
            self._pause(_PAUSE_S)
            return
        task = self._loop.create_task(self._begin(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        if self._has_enough():
            self._pause(_LEAVE_S)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(self._make, connection, ssl=self._tls)
        except OSError as error:
            # It hung up, or did not speak TLS.
            _log.debug("a connection did not come about: %s", error)
            connection.close()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._accept)
