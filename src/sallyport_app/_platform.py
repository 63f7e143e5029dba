"""The way to the platform: one function that the worker puts in place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Exchange = Callable[[bytes, bytes], tuple[bytes, bytes]]
"""Sends a header and a body to the platform and returns those of the reply."""

_exchange: Exchange | None = None


class Unavailable(Exception):
    """The platform cannot be reached from here."""


class Reply(NamedTuple):
    """What the platform replied. Header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def connect(exchange: Exchange) -> None:
    """Let requests go through `exchange`."""
    global _exchange
    _exchange = exchange


def ask(
    capability: str,
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    options: Mapping[str, str] | None = None,
) -> Reply:
    """Ask a capability of the platform; docs/reference/capabilities.md.

    Raises `Unavailable` outside of a call, and `ValueError` if the request is too large.
    """
    if _exchange is None:
        raise Unavailable("this works inside a call, not while a module is imported")
    header: dict[str, Any] = {"capability": capability, "method": method, "path": path}
    if headers:
        header["headers"] = list(headers)
    if options:
        header["options"] = options
    try:
        found, content = _exchange(json.dumps(header).encode(), body)
    except OSError as error:
        raise Unavailable("the platform cannot be reached from this process") from error
    reply = json.loads(found)
    return Reply(reply["status"], [(name, value) for name, value in reply["headers"]], content)


def request(capability: str, path: str, body: str) -> tuple[int, Any]:
    """Ask with JSON text and get JSON: the status and the reply. Raises as `ask` does."""
    reply = ask(capability, "POST", path, body=body.encode())
    return reply.status, json.loads(reply.body) if reply.body else None
