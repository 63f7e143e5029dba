"""A call as an exchange, without a task where facts are at hand.

Each call is decided from the facts of the moment that it begins.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from sallyport.gateway import refuse
from sallyport.gateway.call import Call
from sallyport.gateway.endpoint import ClientGone, Gateway, new_call
from sallyport.gateway.exchange import Connection, Exchange, Head
from sallyport.gateway.facts import Lacking
from sallyport.gateway.steps import LARGEST_PAYLOAD
from sallyport.runtime.call import Invocation, Outcome, Target
from sallyport.vocab.message import Reply

_log = logging.getLogger(__name__)

Submit = Callable[[Target, Invocation, Callable[[Outcome], None]], None]


class CallExchange(Exchange):
    """A call, which `submit` has run where it is allowed."""

    __slots__ = ("_call", "_decided", "_gateway", "_started", "_submit", "_waiter")

    def __init__(
        self, gateway: Gateway, submit: Submit, connection: Connection, head: Head, keep_alive: bool
    ) -> None:
        super().__init__(connection, head, keep_alive, LARGEST_PAYLOAD)
        self._gateway = gateway
        self._submit = submit
        self._call: Call | None = None
        self._decided = False
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
        self._run()

    def _go_on(self) -> None:
        if self._decided and not self.response_complete:
            self._run()
        else:
            self._wake()

    # ---- at once

    def _run(self) -> None:
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
            try:
                target, invocation = self._gateway.run_of(self.call, self._take_body())
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
        try:
            ended = self._gateway.ended(self.call, error, self._started)
        except Exception:
            _log.exception("a call was not answered")
            self._connection.abort()
            return
        if isinstance(ended, Reply):
            self._send(ended)
        else:
            self._settle_by(ended)

    def _take_time(self, *, decided: bool) -> None:
        self._settle_by(
            self._gateway.reply_to(self.call, self._body, self._started, decided=decided)
        )

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
        return self._take_body()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
