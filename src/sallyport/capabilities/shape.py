"""What is asked of a capability and what it replies; docs/reference/capabilities.md.

One shape for every capability and for workers in any language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sallyport.capabilities.refused import CapabilityRefused
from sallyport.runtime import frames

# What a msgspec decoder raises for bytes that are no JSON of the expected shape.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

PROXY_ERROR: Final = "forge-proxy-error"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `path` and `options` mean what the capability says; header names as sent."""

    capability: str
    method: str
    path: str
    headers: Headers
    options: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. Header names are lower case."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    capability: str
    path: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    options: dict[str, str] = {}


_decoder = msgspec.json.Decoder(_Header)


def read_ask(payload: bytes) -> Ask:
    """The request that a frame holds. Raises `CapabilityRefused`."""
    try:
        raw, body = frames.split(payload)
        if len(raw) > frames.LARGEST_HEADER:
            raise CapabilityRefused(413, "INVALID_REQUEST", "The header is larger than 256 KB")
        header = _decoder.decode(raw)
    except (frames.FrameError, *UNREADABLE):
        raise CapabilityRefused(400, "INVALID_REQUEST", "The request is not readable") from None
    if len(body) > frames.LARGEST_BODY:
        raise CapabilityRefused(413, "INVALID_REQUEST", "The body is larger than 5 MB")
    return Ask(header.capability, header.method, header.path, header.headers, header.options, body)


def write_reply(reply: Reply) -> tuple[bytes, bytes]:
    """A reply as the two parts of its frame."""
    return msgspec.json.encode({"status": reply.status, "headers": reply.headers}), reply.body


def json_reply(value: Any, status: int = 200) -> Reply:
    """A reply with a JSON body; None has no body."""
    if value is None:
        return Reply(status)
    return Reply(status, (("content-type", "application/json"),), msgspec.json.encode(value))


def refused_reply(refused: CapabilityRefused, *, marked: bool) -> Reply:
    """How a refusal is told: `{"code", "message"}`.

    `marked` adds a header that no other server can send through us, so that the platform's refusal
    is never taken for that server's answer, contract section (m).
    """
    reply = json_reply({"code": refused.code, "message": refused.message}, refused.status)
    if not marked:
        return reply
    return Reply(reply.status, (*reply.headers, (PROXY_ERROR, refused.code)), reply.body)
