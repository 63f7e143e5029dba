"""The gateway over ASGI: reads a call, walks it through the steps, runs the function, answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from functools import lru_cache
from typing import Any

from sallyport.gateway import answer, refuse
from sallyport.gateway.address import is_call
from sallyport.gateway.call import Call
from sallyport.gateway.cors import Preflight
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.idempotency import Idempotency
from sallyport.gateway.record import Recorder
from sallyport.gateway.steps import LARGEST_PAYLOAD, Policy, walk
from sallyport.model.manifest import Function
from sallyport.runtime.call import Failure, Invocation, Outcome, Target
from sallyport.vocab.clock import SECOND, Clock
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id, new_ordered_id, new_trace_id
from sallyport.vocab.message import Reply
from sallyport.vocab.trace import read_traceparent

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Invoke = Callable[[Target, Invocation], Awaitable[Outcome]]
ReadBody = Callable[[], Awaitable[bytes]]

MOST_LOADS = 32
# Statuses whose answers end with their headers (RFC 9112 section 6.3).
LENGTHLESS = (204, 304)

_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The caller hung up before the whole body was here."""


class Gateway:
    """An ASGI application for the paths that `handles` names."""

    def __init__(
        self,
        facts: Facts,
        policy: Policy,
        invoke: Invoke,
        idempotency: Idempotency,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._facts = facts
        self._policy = policy
        self._invoke = invoke
        self._idempotency = idempotency
        self._recorder = recorder
        self._clock = clock

    @staticmethod
    def handles(scope: Message) -> bool:
        return scope["type"] == "http" and is_call(raw_path_of(scope))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter_ns()
        call = read_call(scope, self.now())
        try:
            reply = await self.reply_to(call, lambda: read_body(receive), started)
        except ClientGone:
            return
        await send_reply(send, reply)

    def now(self) -> int:
        return self._clock.now()

    def decide(self, call: Call) -> None:
        """Walk the steps over the facts at hand. Raises `Lacking`, `Refused` and `Preflight`."""
        call.facts_version = self._facts.version
        walk(call, self._facts, self._policy)

    def is_decided(self, call: Call) -> bool:
        """Whether the decision still stands: nothing has changed since, whatever took the time."""
        return self._facts.hold_since(call.facts_version)

    def run_of(self, call: Call, body: bytes) -> tuple[Target, Invocation]:
        """Where and what a decided call runs."""
        assert call.installed is not None
        assert call.found is not None
        call.gate, call.bytes_in = "function", len(body)
        function = call.installed.compiled.functions[call.found.route.function]
        timeout_ms = function.timeout_seconds * SECOND
        return call.installed.target, invocation_of(call, function, body, timeout_ms)

    def answered(self, call: Call, outcome: Outcome, started: int) -> Reply:
        """The reply to a call that ran, recorded. Raises `Refused` where it failed."""
        if not call.spared:
            call.worker_us = outcome.duration_us
        if isinstance(outcome, Failure):
            raise answer.failure_refused(call, outcome)
        reply = answer.of_function(call, outcome)
        call.bytes_out = len(reply.body)
        self._recorder.allowed(call, reply.status, elapsed_us(started))
        return reply

    async def reply_to(
        self, call: Call, read: ReadBody, started: int, *, decided: bool = False
    ) -> Reply:
        """The reply to a call, whatever it takes. `read` gives the body, once the call is decided.

        Raises `ClientGone` where `read` does.
        """
        try:
            if not decided:
                await self._decide(call)
            call.gate = "limits"
            body = await read()
            await self._decide_again(call)
            outcome = await self._run(call, body)
            return self.answered(call, outcome, started)
        except ClientGone:
            raise
        except Exception as error:
            ended = self.ended(call, error, started)
            return ended if isinstance(ended, Reply) else await ended

    def ended(
        self, call: Call, error: Exception, started: int
    ) -> Reply | Coroutine[Any, Any, Reply]:
        """The reply to a call that an exception has ended, or what gives it.

        A refusal is durable before that, unless it is for a limit: those come in floods.
        """
        if isinstance(error, Preflight):
            spent = refuse.asked_too_often(call, self._policy.limits)
            if spent is None:
                return answer.of_preflight(call, error)
            error = spent
        if not isinstance(error, Refused):
            extra = {"trace_id": call.trace_id}
            _log.error("a call failed inside the gateway", exc_info=error, extra=extra)
            error = refuse.failed_inside(call.trace_id)
        return self._refuse(call, error, started)

    async def _decide(self, call: Call) -> None:
        """Walk the steps; load what they lack and walk again. Raises `Refused`."""
        for _ in range(MOST_LOADS):
            try:
                self.decide(call)
            except Lacking as lacking:
                await self._facts.load(lacking)
            else:
                return
        raise refuse.facts_moved()

    async def _decide_again(self, call: Call) -> None:
        """Decide a call anew where something has changed since. Raises `Refused`."""
        if not self.is_decided(call):
            gate = call.gate
            await self._decide(call)
            call.gate = gate

    def needs_task(self, call: Call) -> bool:
        """Whether a decided call needs more than what is at hand: a key's record, a proof's use."""
        return call.idempotency_key is not None or call.unshared is not None

    async def _run(self, call: Call, body: bytes) -> Outcome:
        if call.unshared is not None and self._policy.share_proof is not None:
            await self._policy.share_proof(call.unshared)
            call.unshared = None
            await self._decide_again(call)
        target, invocation = self.run_of(call, body)
        if call.idempotency_key is None:
            return await self._invoke(target, invocation)

        async def run() -> Outcome:
            await self._decide_again(call)
            return await self._invoke(target, invocation)

        outcome = await self._idempotency.once(call, body, invocation.timeout_ms, run)
        if call.replayed:
            await self._decide_again(call)
        return outcome

    def _refuse(
        self, call: Call, refused: Refused, started: int
    ) -> Reply | Coroutine[Any, Any, Reply]:
        policy = self._policy
        refused = refuse.counted(call, refused, policy.limits)
        document = answer.problem_of(call, refused)
        reply = answer.of_refusal(
            call, refused, document, policy.public_url, forge=policy.forge_compatible
        )
        call.bytes_out = len(reply.body)
        us = elapsed_us(started)
        if refused.reason is Reason.RATE_LIMITED:
            self._recorder.denied_at_once(call, refused, document, reply.status, us)
            return reply
        return self._when_kept(call, refused, document, reply, us)

    async def _when_kept(
        self, call: Call, refused: Refused, document: dict[str, Any], reply: Reply, us: int
    ) -> Reply:
        await self._recorder.denied(call, refused, document, reply.status, us)
        return reply


def invocation_of(call: Call, function: Function, body: bytes, timeout_ms: int) -> Invocation:
    """The run of a function that a decided call asks for."""
    return Invocation(
        id=call.invocation_id,
        trace_id=call.trace_id,
        function_key=function.key,
        handler=function.handler,
        request=call.request,
        body=body,
        context=call.context,
        timeout_ms=timeout_ms,
    )


def raw_path_of(scope: Message) -> str:
    """The path as it stood in the request line, undecoded, without its query."""
    raw: bytes = scope.get("raw_path") or b""
    return raw.partition(b"?")[0].decode("latin-1")


def read_call(scope: Message, now: int) -> Call:
    """A call from an ASGI scope; nothing is trusted and nothing repaired."""
    query = scope.get("query_string", b"")
    peer = (scope.get("client") or ("",))[0]
    return new_call(scope["method"], raw_path_of(scope), query, scope["headers"], peer, now)


def new_call(
    method: str,
    raw_path: str,
    query: bytes,
    raw_headers: Iterable[tuple[bytes, bytes]],
    peer: str,
    now: int,
) -> Call:
    """A call from what stood in its head; `now` in milliseconds since the epoch."""
    headers = tuple(
        [(_name(name), value.decode("latin-1").strip(" \t")) for name, value in raw_headers]
    )
    hosts: list[str] = []
    lengths: list[str] = []
    parents: list[str] = []
    chunked = False
    for name, value in headers:
        if name == "host":
            hosts.append(value)
        elif name == "content-length":
            lengths.append(value)
        elif name == "traceparent":
            parents.append(value)
        elif name == "transfer-encoding":
            chunked = True
    parent = read_traceparent(parents[0]) if len(parents) == 1 else None
    return Call(
        method=method,
        raw_path=raw_path,
        query=query.decode("latin-1"),
        host=host_name(hosts[0]) if len(hosts) == 1 else "",
        headers=headers,
        content_length=None if chunked else _length(lengths),
        now=now,
        trace_id=new_trace_id(now) if parent is None else parent.trace_id,
        decision_id=new_ordered_id(now),
        invocation_id=new_id(),
        peer=peer,
        parent=parent,
    )


def _name(name: bytes) -> str:
    return _name_again(name) if len(name) <= _LONGEST_KEPT else _name_of(name)


def _name_of(name: bytes) -> str:
    return name.decode("latin-1").lower()


# Names come again and again; what is kept of strange ones stays small.
_LONGEST_KEPT = 64
_name_again = lru_cache(maxsize=1024)(_name_of)


def host_name(value: str) -> str:
    """The host of a Host header, lower case, without its port."""
    name, colon, port = value.strip().lower().rpartition(":")
    return name if colon and port.isdigit() else value.strip().lower()


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises `Refused` beyond the limit, announced or not, and `ClientGone`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > LARGEST_PAYLOAD:
            raise refuse.payload_too_large(LARGEST_PAYLOAD)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _length(values: list[str]) -> int:
    return int(values[0]) if values and values[0].isdigit() else 0


def elapsed_us(started: int) -> int:
    """Microseconds since `started`, a `time.perf_counter_ns`."""
    return (time.perf_counter_ns() - started) // 1000


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a whole response over ASGI."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.status not in LENGTHLESS:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
