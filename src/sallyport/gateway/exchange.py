"""One request on a connection that is answered here, from its head to its reply.

To uvicorn's protocol class an exchange is a request cycle: it has the few attributes of one that
the class reads. An exchange begins when every earlier reply of its connection is out, so replies
keep the order of requests. What it answers is up to its kind: a call of an app, or a desk's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, Protocol

from sallyport.gateway.endpoint import ClientGone
from sallyport.gateway.framing import CONTINUE
from sallyport.vocab.message import RawHeaders, Reply

_log = logging.getLogger(__name__)


class Head(NamedTuple):
    """What a request's head says; `path` and `query` as they stood in its target.

    `address` is the network address of who sent it.
    """

    method: str
    path: bytes
    query: bytes
    headers: RawHeaders
    expects_continue: bool
    address: str


class Connection(Protocol):
    """What an exchange needs of its connection."""

    def send_raw(self, data: bytes) -> None: ...

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        """Send the reply of the exchange whose turn it is. Raises `ValueError`."""
        ...

    def run_task(self, work: Coroutine[Any, Any, Reply]) -> asyncio.Task[Reply]: ...

    def abort(self) -> None: ...


class _Nobody:
    """Stands for the event that wakes an ASGI application; nobody waits for it here."""

    def set(self) -> None: ...


class Exchange:
    """`keep_alive` says whether the connection is for further requests after this one.

    A body of more than `largest` bytes is not kept. `_running` is set once the reply hangs on
    nothing that the client still sends.
    """

    __slots__ = (
        "_complete",
        "_connection",
        "_parts",
        "_running",
        "_size",
        "disconnected",
        "head",
        "keep_alive",
        "largest",
        "response_complete",
    )

    message_event: Final = _Nobody()

    def __init__(self, connection: Connection, head: Head, keep_alive: bool, largest: int) -> None:
        self.head = head
        self.keep_alive = keep_alive
        self.largest = largest
        self.response_complete = False
        self.disconnected = False
        self._connection = connection
        self._running = False
        self._complete = False
        self._parts: list[bytes] = []
        self._size = 0

    def begin(self) -> None:
        """It is the turn of this request; each kind knows what that means."""

    def _go_on(self) -> None:
        """The whole body is here, or more of it than is kept, or the client is gone."""

    def feed(self, part: bytes) -> None:
        """A part of the body has come."""
        if self.response_complete:
            return
        self._size += len(part)
        if self._size <= self.largest:
            self._parts.append(part)
            return
        self._parts.clear()
        self._go_on()

    def end_of_body(self) -> None:
        """The whole body is here."""
        self._complete = True
        self._go_on()

    @property
    def is_reading(self) -> bool:
        """Whether the reply hangs on what the client still sends."""
        return not (self._complete or self._running or self.response_complete)

    def gone(self) -> None:
        """The client hung up, or what it sent on turned out to be no body."""
        self.disconnected = True
        if not self._complete and not self._running:
            self.response_complete = True
        self._go_on()

    def _take_body(self) -> bytes:
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _settle_by(self, work: Coroutine[Any, Any, Reply]) -> None:
        self._connection.run_task(work).add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[Reply]) -> None:
        if task.cancelled():
            self._connection.abort()
            return
        error = task.exception()
        if isinstance(error, ClientGone):
            self.response_complete = True
        elif error is not None:
            _log.error("a request was not answered", exc_info=error)
            self._connection.abort()
        else:
            self._send(task.result())

    def _ask_for_body(self) -> None:
        """Say once that the body may come (RFC 9110 section 10.1.1); without, none comes."""
        if self.head.expects_continue and not self._size and not self.disconnected:
            self.head = self.head._replace(expects_continue=False)
            self._connection.send_raw(CONTINUE)

    def _send(self, reply: Reply) -> None:
        if self.disconnected:
            self.response_complete = True
            return
        if self.head.expects_continue and not self._complete:
            # Whether its body still comes nobody knows, so no request can follow.
            self.keep_alive = False
        try:
            self._connection.send_reply(self, reply)
        except ValueError:
            _log.exception("a reply could not be written")
            self._connection.abort()
