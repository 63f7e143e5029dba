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


class Reader:
    """Turns bytes, as they arrive, into frames; refuses payloads over `largest` bytes."""

    def __init__(self, largest: int) -> None:
        self._longest = largest + _KIND_AND_ID
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `FrameError` at the first bad length."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= HEAD_SIZE:
            length, kind, id = _HEAD.unpack_from(buffer)
            if not _KIND_AND_ID <= length <= self._longest:
                raise FrameError(f"a frame of {length} bytes is out of bounds")
            end = _LENGTH.size + length
            if len(buffer) < end:
                return
            payload = bytes(memoryview(buffer)[HEAD_SIZE:end])
            del buffer[:end]
            yield Frame(kind, id, payload)

    @property
    def missing(self) -> int:
        """How many bytes the frame that has begun still lacks, or its head as far as one knows."""
        if len(self._buffer) < HEAD_SIZE:
            return HEAD_SIZE - len(self._buffer)
        length: int = _LENGTH.unpack_from(self._buffer)[0]
        return _LENGTH.size + length - len(self._buffer)
