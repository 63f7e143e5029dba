"""One call on a connection, from its head to its reply, without a task where facts are at hand.

To uvicorn's protocol class an exchange is a request cycle: it has the few attributes of one that
the class reads. An exchange begins when every earlier reply of its connection is out, so replies
keep the order of requests, and each call is decided from the facts of the moment that it begins.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol

from sallyport.gateway import refuse
from sallyport.gateway.answer import Reply
from sallyport.gateway.call import Call
from sallyport.gateway.endpoint import ClientGone, Gateway, new_call
from sallyport.gateway.facts import Lacking
from sallyport.gateway.framing import CONTINUE, RawHeaders
from sallyport.gateway.steps import LARGEST_PAYLOAD
from sallyport.runtime.call import Invocation, Outcome, Target

Submit = Callable[[Target, Invocation, Callable[[Outcome], None]], None]

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
    """`keep_alive` says whether the connection is for further requests after this one."""

    __slots__ = (
        "_call",
        "_complete",
        "_connection",
        "_decided",
        "_gateway",
        "_parts",
        "_running",
        "_size",
        "_started",
        "_submit",
        "_waiter",
        "disconnected",
        "head",
        "keep_alive",
        "response_complete",
    )

    message_event: Final = _Nobody()

    def __init__(
        self, gateway: Gateway, submit: Submit, connection: Connection, head: Head, keep_alive: bool
    ) -> None:
        self.head = head
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self._gateway = gateway
        self._submit = submit
        self._connection = connection
        self._call: Call | None = None
        self._decided = False
        self._running = False
        self._complete = False
        self._parts: list[bytes] = []
        self._size = 0
        self._started = 0
        self._waiter: asyncio.Future[None] | None = None

    @property
    def call(self) -> Call:
        assert self._call is not None
        return self._call

    def begin(self) -> None:
        """It is the turn of this call: decide it, or have that done by a task."""
        self._started = time.perf_counter_ns()
        head = self.head
        try:
            self._call = call = new_call(
                head.method,
                head.path.decode("latin-1"),
                head.query,
                head.headers,
                head.address,
                self._gateway.now(),
            )
            self._gateway.decide(call)
        except Lacking:
            self._take_time(decided=False)
            return
        except Exception as error:
            self._end(error)
            return
        if self._gateway.needs_task(call):
            self._take_time(decided=True)
            return
        self._decided = True
        self._go_on()

    def feed(self, part: bytes) -> None:
        """A part of the body has come."""
        if self.response_complete:
            return
        self._size += len(part)
        if self._size <= LARGEST_PAYLOAD:
            self._parts.append(part)
            return
        self._parts.clear()
        if self._decided:
            self._go_on()
        else:
            self._wake()

    def end_of_body(self) -> None:
        """The whole body is here."""
        self._complete = True
        if self._decided:
            self._go_on()
        else:
            self._wake()

    @property
    def is_reading(self) -> bool:
        """Whether the reply hangs on what the client still sends."""
        return not (self._complete or self._running or self.response_complete)

    def gone(self) -> None:
        """The client hung up, or what it sent on turned out to be no body."""
        self.disconnected = True
        if not self._complete and not self._running:
            self.response_complete = True
            self._decided = False
        self._wake()

    # ---- at once

    def _go_on(self) -> None:
        """Run the decided call as soon as its body is here; refuse it when that is too large."""
        if self._running or self.response_complete:
            return
        if self._size > LARGEST_PAYLOAD:
            self.call.gate = "limits"
            self._end(refuse.payload_too_large(LARGEST_PAYLOAD))
        elif not self._complete:
            self._ask_for_body()
        elif not self._gateway.is_decided(self.call):
            # Something changed while the body was on its way.
            self._decided = False
            self._take_time(decided=True)
        else:
            self._running = True
            parts, self._parts = self._parts, []
            try:
                target, invocation = self._gateway.run_of(
                    self.call, parts[0] if len(parts) == 1 else b"".join(parts)
                )
                self._submit(target, invocation, self._ran)
            except Exception as error:
                self._end(error)

    def _ran(self, outcome: Outcome) -> None:
        try:
            reply = self._gateway.answered(self.call, outcome, self._started)
        except Exception as error:
            self._end(error)
        else:
            self._send(reply)

    # ---- with a task

    def _end(self, error: Exception) -> None:
        """Answer a call that is refused or failed; denials are durable before that."""
        self._running, self._decided = True, False
        self._settle_by(self._gateway.ended(self.call, error, self._started))

    def _take_time(self, *, decided: bool) -> None:
        self._settle_by(
            self._gateway.reply_to(self.call, self._body, self._started, decided=decided)
        )

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
            _log.error("a call was not answered", exc_info=error)
            self._connection.abort()
        else:
            self._send(task.result())

    async def _body(self) -> bytes:
        """The whole body. Raises `Refused` beyond the limit and `ClientGone`."""
        while not self._complete or self._size > LARGEST_PAYLOAD:
            if self._size > LARGEST_PAYLOAD:
                raise refuse.payload_too_large(LARGEST_PAYLOAD)
            if self.disconnected:
                raise ClientGone
            self._ask_for_body()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._running = True
        return b"".join(self._parts)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # ---- what goes back

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
