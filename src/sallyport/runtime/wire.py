"""What a gateway process and the host tell each other of calls, as JSON beside the bodies.

Both are processes of one platform and one version, so nothing here is checked for malice: a frame
that is not as it should be ends the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec

from sallyport.runtime.call import (
    Answer,
    CallContext,
    Failure,
    FailureKind,
    Invocation,
    Outcome,
    Target,
)


class WiredCall(msgspec.Struct, array_like=True):
    """An invocation without its body. `target` is the number of a target that was sent before.

    `fresh_until` is until when what the call was decided from may be relied on, by
    `time.monotonic`; None stands for ever. The request is passed on to the worker as it is.
    """

    target: int
    fresh_until: float | None
    id: str
    trace_id: str
    function_key: str
    handler: str
    timeout_ms: int
    context: msgspec.Raw
    request: msgspec.Raw

    def invocation(self, body: bytes) -> Invocation:
        """The invocation, its request still in JSON."""
        request = cast("dict[str, Any]", self.request)
        return Invocation(
            self.id,
            self.trace_id,
            self.function_key,
            self.handler,
            request,
            body,
            _context_of(bytes(self.context)),
            self.timeout_ms,
        )


@lru_cache(maxsize=4096)
def _context_of(text: bytes) -> CallContext:
    """Many calls share a context; it is read once, and passed on to workers as it came."""
    return CallContext(msgspec.json.decode(text)).written_as(text)


class _Answer(msgspec.Struct, array_like=True):
    status: int
    headers: tuple[tuple[str, str], ...]
    duration_us: int


class _Failure(msgspec.Struct, array_like=True):
    kind: FailureKind
    message: str
    duration_us: int


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for the wire")


def _special(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(f"{kind.__name__} is not for the wire")


_target = msgspec.json.Decoder(Target, dec_hook=_special)
_call = msgspec.json.Decoder(WiredCall)
_answer = msgspec.json.Decoder(_Answer)
_failure = msgspec.json.Decoder(_Failure)
_encoder = msgspec.json.Encoder(enc_hook=_plain)


def write_target(target: Target) -> bytes:
    return _encoder.encode(target)


def read_target(payload: bytes) -> Target:
    return _target.decode(payload)


def write_call(number: int, call: Invocation, fresh_until: float | None) -> bytes:
    return _encoder.encode(
        (
            number,
            fresh_until,
            call.id,
            call.trace_id,
            call.function_key,
            call.handler,
            call.timeout_ms,
            _written(call.context),
            call.request,
        )
    )


def _written(context: Mapping[str, Any]) -> object:
    return msgspec.Raw(context.text) if isinstance(context, CallContext) else context


def read_call(header: bytes) -> WiredCall:
    return _call.decode(header)


def write_outcome(outcome: Outcome) -> bytes:
    """An outcome without its body."""
    if isinstance(outcome, Answer):
        return _encoder.encode((outcome.status, outcome.headers, outcome.duration_us))
    return _encoder.encode((outcome.kind, outcome.message, outcome.duration_us))


def read_answer(header: bytes, body: bytes) -> Answer:
    found = _answer.decode(header)
    return Answer(found.status, found.headers, body, found.duration_us)


def read_failure(payload: bytes) -> Failure:
    found = _failure.decode(payload)
    return Failure(found.kind, found.message, found.duration_us)
