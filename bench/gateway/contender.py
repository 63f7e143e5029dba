"""What every contender offers to the rounds, and the call that all of them answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.load.servers import Server

SCOPE = "read:bench:custom"
HELLO, ECHO = "/hello", "/echo"
BODY_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to load a contender. `rate` is fixed where it is not None; `cold`: no token twice."""

    name: str
    shown: str
    connections: int
    body: int = 0
    cold: bool = False
    rate: int | None = None


KINDS = (
    Kind("c1", "1 connection", 1),
    Kind("c32", "32 connections", 32),
    Kind("c128", "128 connections", 128),
    Kind("body", "16 KB in and out", 32, body=BODY_BYTES),
    Kind("cold", "each call another token", 32, cold=True),
    Kind("paced", "1,000 a second", 64, rate=1000),
)


@dataclass
class Contender:
    """A way in that is up: `url` is below which the function's paths are.

    `what` says in a few words what is done for a call; `skipped` are kinds that mean nothing here.
    """

    name: str
    what: str
    url: str
    servers: Sequence[Server]
    token: str = ""
    skipped: frozenset[str] = field(default_factory=frozenset)

    def fresh_tokens(self, count: int) -> list[str]:
        """Tokens that were not sent before."""
        raise NotImplementedError

    def close(self) -> None:
        for each in self.servers:
            each.stop()


class Starts(Protocol):
    def __call__(self) -> Contender: ...
