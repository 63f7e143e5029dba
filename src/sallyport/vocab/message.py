"""A request and its reply as rooms hand them to each other, in no server's types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

RawHeaders = Sequence[tuple[bytes, bytes]]


class Asked(NamedTuple):
    """The head of a request; names of headers are lower case.

    `address` is the network address of who sent it, empty where nobody knows.
    """

    method: str
    path: str
    query: bytes
    headers: RawHeaders
    address: str

    def values(self, name: bytes) -> list[str]:
        """Every value of a header, in order."""
        return [value.decode("latin-1") for each, value in self.headers if each == name]

    def value(self, name: bytes) -> str:
        """The first value of a header, empty where it is absent."""
        for each, value in self.headers:
            if each == name:
                return value.decode("latin-1")
        return ""


class Reply(NamedTuple):
    """A response; header names are lower case. Its length is told by who sends it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
