"""Desks: what other rooms answer straight from the server's protocol class.

A desk is asked as soon as a request's head is here and again with its body. In between, and while
it answers, an exchange stands for the request as for a call: in its turn, with its limits of time.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from sallyport.gateway.exchange import Connection, Exchange, Head
from sallyport.vocab.message import Asked, Reply


class Desk(Protocol):
    """Never raises; what goes wrong is a reply, too. Its bodies have up to `largest` bytes."""

    @property
    def largest(self) -> int: ...

    def refused_by_head(self, asked: Asked) -> Reply | None:
        """The refusal of a request whose body need not come. It counts from here on."""
        ...

    def answer(self, asked: Asked, body: bytes | None) -> Coroutine[Any, Any, Reply]:
        """The reply; `body` is None where it is larger than `largest`."""
        ...


class DeskExchange(Exchange):
    """A request to a desk."""

    __slots__ = ("_asked", "_desk")

    def __init__(self, desk: Desk, connection: Connection, head: Head, keep_alive: bool) -> None:
        super().__init__(connection, head, keep_alive, desk.largest)
        self._desk = desk
        self._asked: Asked | None = None

    def begin(self) -> None:
        """It is the turn of this request: refuse it, or answer it once its body is here."""
        head = self.head
        asked = Asked(
            head.method, head.path.decode("latin-1"), head.query, head.headers, head.address
        )
        refusal = self._desk.refused_by_head(asked)
        if refusal is not None:
            self._send(refusal)
            return
        self._asked = asked
        self._go_on()

    def _go_on(self) -> None:
        if self._asked is None or self._running or self.response_complete:
            return
        is_too_large = self._size > self.largest
        if not self._complete and not is_too_large:
            self._ask_for_body()
            return
        self._running = True
        body = None if is_too_large else self._take_body()
        self._settle_by(self._desk.answer(self._asked, body))
