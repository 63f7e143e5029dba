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
# worker -> platform: the call has written raw output; its answer waits until that is read
OUTPUT: Final = 12

MEGABYTE: Final = 1024 * 1024
LARGEST_BODY: Final = 5 * MEGABYTE
LARGEST_HEADER: Final = 256 * 1024
LARGEST_CALL: Final = LARGEST_BODY + LARGEST_HEADER + 4
LARGEST_LOG_LINE: Final = 32 * 1024
LARGEST_REQUEST: Final = LARGEST_CALL
# A page of the store may hold 4 million characters of four bytes each.
LARGEST_REPLY: Final = 20 * MEGABYTE

_HEAD = struct.Struct("!IBI")
_LENGTH = struct.Struct("!I")
_LENGTHS = struct.Struct("!III")
_CALL_HEAD = struct.Struct("!IBIIII")
HEAD_SIZE: Final = _HEAD.size
_KIND_AND_ID: Final = 5


class FrameError(Exception):
    """The other side does not speak frames; nothing more may be read from it."""


class Frame(NamedTuple):
    kind: int
    id: int
    payload: bytes


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
        self._buffer = bytearray()
        # Where the first frame begins that was not given out.
        self._at = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `FrameError` at the first bad length."""
        buffer = self._buffer
        if self._at:
            del buffer[: self._at]
            self._at = 0
        buffer += data
        # Whoever takes a frame may feed more before it asks for the next one.
        while len(buffer) - self._at >= HEAD_SIZE:
            at = self._at
            length, kind, id = _HEAD.unpack_from(buffer, at)
            if not _KIND_AND_ID <= length <= self._longest:
                raise FrameError(f"a frame of {length} bytes is out of bounds")
            end = at + _LENGTH.size + length
            if len(buffer) < end:
                return
            payload = bytes(memoryview(buffer)[at + HEAD_SIZE : end])
            self._at = end
            yield Frame(kind, id, payload)

    @property
    def missing(self) -> int:
        """How many bytes the frame that has begun still lacks, or its head as far as one knows."""
        held = len(self._buffer) - self._at
        if held < HEAD_SIZE:
            return HEAD_SIZE - held
        length: int = _LENGTH.unpack_from(self._buffer, self._at)[0]
        return _LENGTH.size + length - held
