"""The way to the platform: one function that the worker puts in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_exchange: Callable[[bytes], bytes] | None = None


class Unavailable(Exception):
    """The platform cannot be reached from here."""


def connect(exchange: Callable[[bytes], bytes]) -> None:
    """Let requests go through `exchange`, which sends bytes and returns the reply's."""
    global _exchange
    _exchange = exchange


def request(capability: str, path: str, body: str) -> tuple[int, Any]:
    """Ask a capability of the platform. `body` is JSON text; returns the status and the reply.

    Raises `Unavailable` outside of a call.
    """
    if _exchange is None:
        raise Unavailable("this works inside a call, not while a module is imported")
    head = json.dumps({"capability": capability, "path": path})
    try:
        reply = json.loads(_exchange(f'{head[:-1]},"body":{body}}}'.encode()))
    except OSError as error:
        raise Unavailable("the platform cannot be reached from this process") from error
    return reply["status"], reply.get("body")
