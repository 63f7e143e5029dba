"""What every contender offers to the rounds."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from bench.load.servers import Server

SCRIPT_OF = {"grant": "grant.lua", "refresh": "refresh.lua"}


@dataclass(frozen=True, slots=True)
class Client:
    """A confidential client, and the scopes that it asks for."""

    client_id: str
    client_secret: str
    scope: str = ""

    @property
    def basic(self) -> str:
        """Its `Authorization` header (RFC 6749 section 2.3.1)."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


class Contender(Protocol):
    """A token endpoint that is up. `kinds` are those of `SCRIPT_OF` that it does."""

    name: str
    kinds: tuple[str, ...]
    url: str
    server: Server

    def client_for(self, kind: str) -> Client: ...

    def refresh_tokens(self, count: int) -> list[str]:
        """Refresh tokens that nobody has used."""
        ...

    def close(self) -> None: ...
