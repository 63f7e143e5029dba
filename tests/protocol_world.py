"""The server's protocol class on a wire of memory: real gateway, desks, store; code that echoes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.server import ServerState

from access_world import seed
from decision_world import History
from sallyport.app.desks import find_desks
from sallyport.gateway.endpoint import Gateway, Receive, Send
from sallyport.gateway.idempotency import Idempotency
from sallyport.gateway.limits import CallLimits
from sallyport.gateway.protocol import CallProtocol, Door, Patience
from sallyport.gateway.record import Recorder
from sallyport.gateway.steps import Policy
from sallyport.model.access import ServiceAccount
from sallyport.oauth import OAuth, build_routes
from sallyport.runtime.call import Answer, Failure, Invocation, Outcome, Target
from sallyport.store import schema
from sallyport.store.engine import Reader, Store, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.store.service_accounts import create_service_account
from sallyport.tokens.keys import open_keys
from sallyport.vocab.buckets import Quota
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.forwarded import Proxies
from sallyport.vocab.ids import CLIENT_SECRET, digest, new_secret

MACHINE_SECRET = new_secret(CLIENT_SECRET)
# What a call does is what its query asks for: `do=204`, `do=fail`.
_STATUSES = {"204": 204, "205": 205, "304": 304, "404": 404}


def outcome_of(call: Invocation) -> Outcome:
    """What app code answers: all that it was given."""
    asked = (call.request["queryParameters"].get("do") or [""])[0]
    if asked == "fail":
        return Failure("exception", "it raised", 7)
    headers = (("content-type", "application/json"), ("x-own", "kept"), ("server", "forged"))
    if asked in ("204", "205", "304"):
        return Answer(_STATUSES[asked], headers, b"", 7)
    seen = {
        "request": {**call.request},
        "account": call.context["accountId"],
        "module": call.context["moduleKey"],
        "body": call.body.decode("latin-1"),
    }
    size = 100_000 if asked == "large" else 0
    body = json.dumps(seen).encode() + b" " * size
    return Answer(_STATUSES.get(asked, 200), headers, body, 7)


class Wire(asyncio.Transport):
    """A transport of memory; `sent` is what the protocol wrote."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: CallProtocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)})
        self._loop = loop
        self._protocol = protocol
        self.sent = bytearray()
        self.closing = False
        self.ended = False
        self.reading = True

    def write(self, data: Any) -> None:
        if not self.closing:
            assert not self.ended, "bytes after the end"
            self.sent += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


def read_replies(sent: bytes, methods: Iterator[str]) -> list[Reply]:
    """The replies that a client of these methods reads; every byte belongs to one."""
    replies = []
    while sent:
        head, found, sent = sent.partition(b"\r\n\r\n")
        assert found, head
        line, *fields = head.decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", line)[1])  # type: ignore[index]
        if status == 100:
            continue
        headers = tuple((name, value) for name, _, value in (f.partition(": ") for f in fields))
        length = int(dict(headers).get("content-length", "0"))
        if next(methods, "GET") == "HEAD":
            length = 0
        assert len(sent) >= length
        replies.append(Reply(status, headers, sent[:length]))
        sent = sent[length:]
    return replies


@dataclass(slots=True)
class Side:
    """One server: `fast` or through the ASGI application alone."""

    gateway: Gateway
    recorder: Recorder
    door: Door
    oauth: OAuth
    config: Config
    state: ServerState
    loop: asyncio.AbstractEventLoop

    def connect(self) -> tuple[CallProtocol, Wire]:
        protocol = CallProtocol(self.door, self.config, self.state, {}, self.loop)
        wire = Wire(self.loop, protocol)
        protocol.connection_made(wire)
        return protocol, wire

    async def settle(self) -> None:
        """Run until nothing is on its way."""
        for _ in range(20):
            await asyncio.sleep(0)
            if self.state.tasks:
                # A task may wait for bytes that come later.
                await asyncio.wait(tuple(self.state.tasks), timeout=0.05)


class Both:
    """A fast server and one without the fast path, of one store and one set of keys."""

    def __init__(
        self, store: Store, history: History, machine: ServiceAccount, fast: Side, slow: Side
    ) -> None:
        self.loop = fast.loop
        self.store = store
        self.world = history.world
        self.history = history
        self.machine = machine
        self.machine_secret = MACHINE_SECRET
        self.fast = fast
        self.slow = slow
        self.ran: list[Invocation] = []

    def __repr__(self) -> str:
        return "both"

    async def records(self, replies: Iterable[Reply]) -> dict[str, Any]:
        """What was recorded of the calls that got these replies, by decision id."""
        for side in (self.fast, self.slow):
            await side.recorder._batched.flush()

        ids = {each.header("atl-request-id") for each in replies}

        async def read(reader: Reader) -> Any:
            return await reader.all(select(schema.decision).where(schema.decision.c.id.in_(ids)))

        return {row.id: row for row in await self.store.read(read)}


async def _other_app(scope: Any, receive: Receive, send: Send) -> None:
    """What is no call: an application that reads the body and says where it was asked."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = f"{scope['method']} {scope['path']} {size}".encode()
    if scope["path"] == "/origin":
        hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
        body = json.dumps([scope["client"][0], scope["scheme"], *hosts]).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def two_servers(
    folder: Path,
    patience: Patience | None = None,
    *,
    proxies: Proxies | None = None,
    refused: Quota | None = None,
) -> Iterator[Both]:
    loop = asyncio.new_event_loop()
    store = open_store(f"sqlite:///{folder}/both.db", ManualClock(), Sealer(bytes(32)))
    ran: list[Invocation] = []

    def submit(_target: Target, call: Invocation, done: Callable[[Outcome], None]) -> None:
        ran.append(call)
        loop.call_soon(done, outcome_of(call))

    async def invoke(target: Target, call: Invocation) -> Outcome:
        future: asyncio.Future[Outcome] = loop.create_future()
        submit(target, call, future.set_result)
        return await future

    async def begin() -> Both:
        await migrate(store)
        world = await seed(store)
        history = History(world, await open_keys(store), 1)
        await history.begin()

        def side(fast: bool) -> Side:
            theirs = history.gateway.policy
            limits = CallLimits(account=Quota("account", 1_000_000), refused=refused)
            policy = Policy(theirs.sources, theirs.verify, theirs.public_url, False, limits=limits)
            recorder = Recorder(store)
            idempotency = Idempotency(
                store, f"side {fast}", waits_ms=1, most_keys=10_000, most_bytes=1 << 30
            )
            gateway = Gateway(
                history.gateway.facts, policy, invoke, idempotency, recorder, store.clock
            )

            pages: Any = None
            oauth = OAuth(store, history.keys, "http://a", pages, lambda s: f"https://{s.host}")
            endpoints = Starlette(routes=build_routes(oauth))

            async def app(scope: Any, receive: Receive, send: Send) -> None:
                handler: Any = gateway if gateway.handles(scope) else _other_app
                if scope["path"].startswith("/oauth/"):
                    handler = endpoints
                await handler(scope, receive, send)

            config = Config(app, lifespan="off", ws="none", access_log=False, log_config=None)
            config.load()
            state = ServerState()
            state.default_headers = [(b"date", b"today")]
            desk = find_desks(oauth, store.feed)
            door = Door(gateway, submit, lambda: fast, patience, proxies, desk)
            return Side(gateway, recorder, door, oauth, config, state, loop)

        machine = await store.write(
            create_service_account,
            history.by,
            world.admin.id,
            "Machine",
            world.link(),
            digest(MACHINE_SECRET),
        )
        both = Both(store, history, machine, side(True), side(False))
        both.ran = ran
        return both

    try:
        yield loop.run_until_complete(begin())
    finally:
        loop.run_until_complete(store.close())
        loop.close()
