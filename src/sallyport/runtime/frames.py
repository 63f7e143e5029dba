"""Frames: how the platform and the processes of app code talk over a stream socket.

    u32 length | u8 kind | u32 id | payload        (big endian; length counts kind, id and payload)

A call, its result, and what is asked of capabilities and replied have a payload of two parts, so
that body bytes are never escaped:

    u32 header length | header (JSON) | body

This file imports the standard library alone: the scripts in `python/` load it by path.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

# platform -> zygote
START: Final = 1
FORK: Final = 2
# zygote -> platform
READY: Final = 3
# worker -> platform
HELLO: Final = 4
RESULT: Final = 5
FAILURE: Final = 6
LOG: Final = 7
# platform -> worker
CALL: Final = 8
# the capability socket
REQUEST: Final = 9
REPLY: Final = 10
# platform -> worker: a call that may run only with its ticket, as other calls are before it
QUEUED: Final = 11
# worker -> platform: so many bytes of answers were laid into the pipe of answers
LAID: Final = 13

MEGABYTE: Final = 1024 * 1024
LARGEST_BODY: Final = 5 * MEGABYTE
LARGEST_HEADER: Final = 256 * 1024
LARGEST_CALL: Final = LARGEST_BODY + LARGEST_HEADER + 4
LARGEST_LOG_LINE: Final = 32 * 1024
LARGEST_REQUEST: Final = LARGEST_CALL
# What a pipe takes whole or not at all (PIPE_BUF of Linux).
LARGEST_LAID: Final = 4096
# A page of the store may hold 4 million characters of four bytes each.
LARGEST_REPLY: Final = 20 * MEGABYTE

_HEAD = struct.Struct("!IBI")
_LENGTH = struct.Struct("!I")
_LENGTHS = struct.Struct("!III")
_CALL_HEAD = struct.Struct("!IBIIII")
HEAD_SIZE: Final = _HEAD.size
_ANSWER_HEAD = struct.Struct("!IBII")
_KIND_AND_ID: Final = 5


class FrameError(Exception):
    """The other side does not speak frames; nothing more may be read from it."""


class Frame(NamedTuple):
    kind: int
    id: int
    payload: bytes


_new = tuple.__new__


def head(kind: int, id: int, payload_length: int) -> bytes:
    """The nine bytes that precede a payload of this length."""
    return _HEAD.pack(_KIND_AND_ID + payload_length, kind, id)


def encode(kind: int, id: int, payload: bytes = b"") -> bytes:
    """One whole frame."""
    return _HEAD.pack(_KIND_AND_ID + len(payload), kind, id) + payload


def encode_parts(kind: int, id: int, header: bytes, body: bytes) -> tuple[bytes, bytes]:
    """A frame of header and body as two pieces to be sent in order; the body is not copied."""
    size = _LENGTH.size + len(header) + len(body)
    return _HEAD.pack(_KIND_AND_ID + size, kind, id) + _LENGTH.pack(len(header)) + header, body


def split(payload: bytes) -> tuple[bytes, bytes]:
    """The header and the body of a two-part payload. Raises `FrameError`."""
    if len(payload) < _LENGTH.size:
        raise FrameError("the payload has no header")
    end = _LENGTH.size + int(_LENGTH.unpack_from(payload)[0])
    if end > len(payload):
        raise FrameError("the header is longer than its payload")
    return payload[_LENGTH.size : end], payload[end:]


def encode_answer(kind: int, id: int, header: bytes, body: bytes) -> bytes:
    """As `encode_parts`, in one piece."""
    size = _KIND_AND_ID + _LENGTH.size + len(header) + len(body)
    return b"".join((_ANSWER_HEAD.pack(size, kind, id, len(header)), header, body))


def encode_laid(size: int) -> bytes:
    """A LAID frame."""
    return encode(LAID, 0, _LENGTH.pack(size))


def read_laid(payload: bytes) -> int:
    """How many bytes a LAID frame speaks of. Raises `FrameError`."""
    if len(payload) != _LENGTH.size:
        raise FrameError("the payload is no length")
    size: int = _LENGTH.unpack(payload)[0]
    return size


def encode_call(
    kind: int, id: int, order: bytes, request: bytes, context: bytes, body: bytes
) -> tuple[bytes, bytes]:
    """A call as two pieces to be sent in order; `order`, `request` and `context` are JSON.

    They come apart, so that a worker reads only what its handler looks at.
    """
    lengths = (len(order), len(request), len(context))
    size = _KIND_AND_ID + _LENGTHS.size + sum(lengths) + len(body)
    head = _CALL_HEAD.pack(size, kind, id, *lengths)
    return b"".join((head, order, request, context)), body


def split_call(payload: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Order, request, context and body of a call's payload. Raises `FrameError`."""
    if len(payload) < _LENGTHS.size:
        raise FrameError("the payload is no call")
    order, request, context = _LENGTHS.unpack_from(payload)
    request_at = _LENGTHS.size + order
    context_at = request_at + request
    body_at = context_at + context
    if body_at > len(payload):
        raise FrameError("the call is longer than its payload")
    return (
        payload[_LENGTHS.size : request_at],
        payload[request_at:context_at],
        payload[context_at:body_at],
        payload[body_at:],
    )


class Reader:
    """Turns bytes, as they arrive, into frames; refuses payloads over `largest` bytes."""

    def __init__(self, largest: int) -> None:
        self._longest = largest + _KIND_AND_ID
        # Bytes as they came, or what is gathered of a frame that comes in pieces.
        self._held: bytes | bytearray = b""
        # Where the first frame begins that was not given out.
        self._at = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `FrameError` at the first bad length."""
        self._gather(data)
        # Whoever takes a frame may feed more before it asks for the next one.
        while len(self._held) - self._at >= HEAD_SIZE:
            held, at = self._held, self._at
            length, kind, id = _HEAD.unpack_from(held, at)
            if not _KIND_AND_ID <= length <= self._longest:
                raise FrameError(f"a frame of {length} bytes is out of bounds")
            end = at + _LENGTH.size + length
            if len(held) < end:
                return
            self._at = end
            payload = held[at + HEAD_SIZE : end]
            if type(payload) is not bytes:
                payload = bytes(payload)
            # As `Frame(...)`, in a third of the time.
            yield _new(Frame, (kind, id, payload))

    def _gather(self, data: bytes) -> None:
        if self._at == len(self._held):
            self._held = data
        else:
            if type(self._held) is not bytearray:
                self._held = bytearray(memoryview(self._held)[self._at :])
            elif self._at:
                del self._held[: self._at]
            self._held += data
        self._at = 0

    @property
    def holds(self) -> bool:
        """Whether a frame has begun that is not whole yet."""
        return len(self._held) > self._at

    @property
    def missing(self) -> int:
        """How many bytes the frame that has begun still lacks, or its head as far as one knows."""
        held = len(self._held) - self._at
        if held < HEAD_SIZE:
            return HEAD_SIZE - held
        length: int = _LENGTH.unpack_from(self._held, self._at)[0]
        return _LENGTH.size + length - held
