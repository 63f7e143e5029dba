"""The public port's protocol: calls and desks are answered here, all else by the ASGI application.

Both go through one parser and one queue for each connection, so replies keep the order of requests.
docs/decisions/0012-calls-in-the-protocol.md says why the seam is uvicorn's protocol class.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sallyport.gateway import framing
from sallyport.gateway.address import PREFIXES
from sallyport.gateway.calling import CallExchange, Submit
from sallyport.gateway.direct import Desk, DeskExchange
from sallyport.gateway.endpoint import Gateway
from sallyport.gateway.exchange import Exchange, Head
from sallyport.gateway.framing import Unreadable
from sallyport.gateway.steps import LARGEST_PAYLOAD
from sallyport.vocab.forwarded import Origin, Proxies
from sallyport.vocab.message import Reply

_PREFIXES = tuple(prefix.encode() for prefix in PREFIXES)

# What may come of a body that is not wanted, or of chunks and their extensions.
_MOST_RAW_BODY = 3 * LARGEST_PAYLOAD
_LARGE_REPLY = 64 * 1024
_LINGER_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take, in seconds, and how many there may be."""

    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 75.0
    connections: int = 10_000


class Door:
    """What all connections of a server share.

    `is_open` says whether requests are taken here; until then the ASGI application answers them.
    `desk` finds who answers a request that is no call.
    """

    def __init__(
        self,
        gateway: Gateway,
        submit: Submit,
        is_open: Callable[[], bool],
        patience: Patience | None = None,
        proxies: Proxies | None = None,
        desk: Callable[[str, bytes], Desk | None] = lambda _method, _path: None,
    ) -> None:
        self.gateway = gateway
        self.submit = submit
        self.is_open = is_open
        self.patience = patience or Patience()
        self.proxies = proxies or Proxies()
        self.desk = desk
        self._ticker: asyncio.TimerHandle | None = None

    def protocol(self, **parts: Any) -> asyncio.Protocol:
        """Make the protocol of a connection; uvicorn's `http=` takes this."""
        return CallProtocol(self, **parts)

    def watch(self, loop: asyncio.AbstractEventLoop, connections: set[Any]) -> None:
        """Look after the connections from time to time, for as long as there are any."""
        if self._ticker is None:
            every = min(1.0, self.patience.head_s / 4, self.patience.body_s / 4)
            self._ticker = loop.call_later(every, self._tick, loop, connections)

    def _tick(self, loop: asyncio.AbstractEventLoop, connections: set[Any]) -> None:
        self._ticker = None
        now = loop.time()
        for connection in tuple(connections):
            if isinstance(connection, CallProtocol):
                connection.check(now)
        if connections:
            self.watch(loop, connections)


class CallProtocol(HttpToolsProtocol):
    """One connection.

    `_stage` is what its client does: idle, sends a head or a body, or waits for replies.
    `_since` is when that began, in loop time.
    """

    # An exchange stands where uvicorn has its own request cycles.
    cycle: Any
    pipeline: deque[Any]
    tasks: set[Any]

    def __init__(
        self,
        door: Door,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door = door
        self._stage: Literal["idle", "head", "body", "waiting"] = "idle"
        self._since = 0.0
        self._blocked_since: float | None = None
        self._shut_at: float | None = None
        self._upgrading = False
        self._advancing = False
        self._draining = False
        self._current: Any = None
        self._fields = 0
        self._raw = 0
        self._peer = ""
        self._behind_proxy = False
        self._origin = Origin("")

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._peer = self.client[0] if self.client else ""
        self._behind_proxy = self._door.proxies.trusts(self._peer)
        self._origin = Origin(self._peer)
        self._since = self.loop.time()
        self._door.watch(self.loop, self.connections)
        most = self._door.patience.connections
        if len(self.connections) > most:
            self._shut(framing.too_many_connections(most))

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(self._current, Exchange):
            self._current.gone()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._shut_at is not None:
            return
        if self._stage == "idle":
            self._stage, self._since, self._raw = "head", self.loop.time(), 0
        elif self._stage != "waiting":
            self._raw += len(data)
        rest: bytes | None = None
        try:
            self.parser.feed_data(data)
            self._check_size()
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except Unreadable as unreadable:
            self._shut(unreadable)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Unreadable):
                self._shut(cause)
            else:
                if isinstance(error, httptools.HttpParserCallbackError) and cause is not None:
                    _log.warning("a request could not be taken", exc_info=cause)
                self._shut(framing.malformed("The bytes are no request of HTTP/1.1."))
        if rest is not None:
            # Not while the upgrade is handled: it would stand for the cause of what is raised next.
            self._go_on_without_upgrade(rest)

    def _check_size(self) -> None:
        """Read on only for what may become a request. Raises `Unreadable`."""
        if self._stage == "head" and self._raw > framing.LARGEST_FIELDS + framing.LONGEST_TARGET:
            raise framing.fields_too_large()
        if self._stage == "body" and self._raw > _MOST_RAW_BODY:
            cycle = self.cycle
            if not isinstance(cycle, Exchange) or cycle.is_reading:
                raise framing.malformed("The body has more framing than content.")
            cycle.keep_alive = False
            if cycle.response_complete:
                self._linger()

    def eof_received(self) -> None:
        """A client that sends no more is gone: half-open connections are not kept."""

    def shutdown(self) -> None:
        """Let what has begun end, and take nothing more; uvicorn calls this when it stops."""
        self._draining = True
        if self._is_resting:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def resume_writing(self) -> None:
        super().resume_writing()
        self._blocked_since = None
        self._advance()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._blocked_since = self.loop.time()

    def abort(self) -> None:
        """Close without an answer."""
        self.transport.abort()

    def check(self, now: float) -> None:
        """Close the connection where its client takes too long."""
        patience, waited = self._door.patience, now - self._since
        if self._shut_at is not None:
            if now - self._shut_at > _LINGER_S and self._is_resting:
                self.transport.abort()
        elif self._blocked_since is not None and now - self._blocked_since > patience.body_s:
            self.transport.abort()
        elif self._stage == "idle" and waited > patience.idle_s:
            self.transport.close()
        elif self._stage == "head" and waited > patience.head_s:
            self._shut(framing.too_slow(patience.head_s))
        elif self._stage == "body" and waited > patience.body_s and not self.flow.read_paused:
            self._shut(framing.too_slow(patience.body_s))

    # ---- the parser

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._stage, self._since = "head", self.loop.time()
        self._fields = self._raw = 0
        self._upgrading = False

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > framing.LONGEST_TARGET:
            raise framing.target_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stage != "head":
            # A trailer is no header: it comes after the call was decided (RFC 9110 section 6.5.1).
            return
        name, value = name.lower(), value.rstrip(b" \t")
        self._fields += len(name) + len(value)
        if self._fields > framing.LARGEST_FIELDS or len(self.headers) >= framing.MOST_FIELDS:
            raise framing.fields_too_large()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._shut_at is not None:
            return
        parser = self.parser
        version, method = parser.get_http_version(), parser.get_method().decode("ascii")
        framing.check_head(version, method, self.url, self.headers)
        if parser.should_upgrade():
            self._upgrading = True
            return
        self.url = framing.origin_form(self.url, self.headers)
        if self._behind_proxy:
            self._believe_proxy()
        door = self._door
        if not door.is_open():
            self._begin_application()
            return
        path, _, query = self.url.partition(b"?")
        is_call = self.url.startswith(_PREFIXES)
        desk = None if is_call else door.desk(method, path)
        if not is_call and desk is None:
            self._begin_application()
            return
        head = Head(
            method, path, query, self.headers, self.expect_100_continue, self._origin.address
        )
        keep_alive = version != "1.0" and parser.should_keep_alive() and not self._draining
        if desk is None:
            self._begin_exchange(CallExchange(door.gateway, door.submit, self, head, keep_alive))
        else:
            self._begin_exchange(DeskExchange(desk, self, head, keep_alive))

    def _begin_exchange(self, exchange: Exchange) -> None:
        """Answer a request here when its turn comes."""
        self.cycle, waiting = exchange, not self._is_resting
        self._stage, self._raw = "body", 0
        if waiting or self.flow.write_paused:
            self.pipeline.appendleft((exchange, self.app))
            self.flow.pause_reading()
        else:
            self._current = exchange
            exchange.begin()

    def _believe_proxy(self) -> None:
        """Take the request as the proxy's client sent it, for everything that follows."""
        self._origin = origin = self._door.proxies.origin_of(self._peer, self.headers)
        if origin.host is not None:
            self.headers = [
                (name, origin.host if name == b"host" else value) for name, value in self.headers
            ]

    def on_body(self, body: bytes) -> None:
        if self._shut_at is not None:
            return
        if isinstance(self.cycle, Exchange):
            self.cycle.feed(body)
        else:
            self._since, self._raw = self.loop.time(), 0
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading or self._shut_at is not None:
            return
        self._stage = "waiting"
        if isinstance(self.cycle, Exchange):
            self.cycle.end_of_body()
        else:
            super().on_message_complete()
        self._rest()

    def _begin_application(self) -> None:
        """Hand a request that is no call to the ASGI application."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        if self._behind_proxy:
            origin = self._origin
            self.scope["client"] = (origin.address, 0)
            self.scope["scheme"] = origin.scheme or self.scope["scheme"]
        super().on_headers_complete()
        if expects:
            # Whether a body comes that was not asked for nobody knows: no request can follow.
            self.cycle.keep_alive = False
        self._stage, self._raw = "body", 0

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read a request that asks for another protocol as one that does not (RFC 9110 7.8)."""
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(
                    option
                    for option in (part.strip() for part in value.split(b","))
                    if option.lower() not in (b"upgrade", b"http2-settings")
                )
            if name not in (b"upgrade", b"http2-settings"):
                lines += (name, b": ", value, b"\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._stage = "head"
        self.data_received(b"".join((*lines, b"\r\n", rest)))

    # ---- whose turn it is

    @property
    def _is_resting(self) -> bool:
        """Whether no reply is owed."""
        return self._current is None and not self.pipeline

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """A reply is out: the next request has its turn."""
        self.server_state.total_requests += 1
        self._current = None
        if not self.transport.is_closing():
            self._advance()

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        while self.pipeline and self._current is None and not self.transport.is_closing():
            if self.flow.write_paused:
                break
            cycle, app = self.pipeline.pop()
            if isinstance(cycle, Exchange):
                self._current = cycle
                cycle.begin()
            elif isinstance(cycle, Unreadable):
                self._say_farewell(cycle)
            else:
                self._start_asgi_task(cycle, app)
        self._advancing = False
        if not (self.pipeline or self.flow.write_paused or self.transport.is_closing()):
            self.flow.resume_reading()
        self._rest()

    def _rest(self) -> None:
        if self._stage == "waiting" and self._is_resting:
            self._stage, self._since = "idle", self.loop.time()

    # ---- what exchanges ask for

    def run_task(self, work: Coroutine[Any, Any, Reply]) -> asyncio.Task[Reply]:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def send_raw(self, data: bytes) -> None:
        self.transport.write(data)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        self._write(reply, keep_alive=exchange.keep_alive, bodiless=exchange.head.method == "HEAD")
        exchange.response_complete = True
        if not exchange.keep_alive:
            self._linger()
        self.on_response_complete()

    def _write(self, reply: Reply, *, keep_alive: bool, bodiless: bool = False) -> None:
        head = framing.encode_head(reply, self.server_state.default_headers, keep_alive=keep_alive)
        if bodiless or not reply.body:
            self.transport.write(head)
        elif len(reply.body) < _LARGE_REPLY:
            self.transport.write(head + reply.body)
        else:
            self.transport.writelines((head, reply.body))

    # ---- the end

    def _linger(self) -> None:
        """Take no further request, and close once the client does, or in a moment.

        Closing a socket that has unread bytes would take the last reply from the client.
        """
        self.pipeline.clear()
        self._shut_at = self.loop.time()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _shut(self, unreadable: Unreadable) -> None:
        """Answer bytes that make no request, after the replies that are owed, and close."""
        if self._shut_at is not None or self.transport.is_closing():
            return
        self._shut_at = self.loop.time()
        unreadable.bodiless = self.parser.get_method() == b"HEAD"
        if self._stage == "body" and not self._give_up(self.cycle):
            self._linger()
        elif self._is_resting:
            self._say_farewell(unreadable)
        else:
            self.pipeline.appendleft((unreadable, self.app))

    def _give_up(self, cycle: Any) -> bool:
        """Forget a request whose body cannot be read; whether a reply can still be given to it."""
        if cycle is not self._current:
            is_waiting = bool(self.pipeline) and self.pipeline[0][0] is cycle
            if is_waiting:
                self.pipeline.popleft()
            return is_waiting
        self._current = None
        if isinstance(cycle, Exchange):
            cycle.gone()
            return True
        cycle.disconnected = True
        cycle.message_event.set()
        return not cycle.response_started

    def _say_farewell(self, unreadable: Unreadable) -> None:
        reply = framing.reply_of(unreadable.refused)
        self._write(reply, keep_alive=False, bodiless=unreadable.bodiless)
        self._linger()
