"""oidc-provider (npm) as a contender, with its store in memory."""

from __future__ import annotations

import json
from pathlib import Path

from bench.load.cores import Cores
from bench.load.servers import Server, free_port
from bench.oauth.contender import Client

PACKAGE = Path(__file__).resolve().parent / "oidc_provider"
VERSION = json.loads((PACKAGE / "package.json").read_text())["dependencies"]["oidc-provider"]
SCOPE = "read:employee write:employee"


class OidcProvider:
    """`form` is `jwt` (signed with ES256) or `opaque`."""

    kinds = ("grant", "refresh")

    def __init__(self, cores: Cores, installed: Path, form: str) -> None:
        shown = "JWT" if form == "jwt" else form
        self.name = f"oidc-provider {VERSION}, {shown}, in memory"
        port = free_port()
        command = ["node", "server.mjs", str(port), form]
        self.server = Server(cores, command, installed, {"NODE_ENV": "production"})
        told = json.loads(self.server.read_line())
        self._client = Client(told["client_id"], told["client_secret"], SCOPE)
        self.url = f"http://127.0.0.1:{port}/token"

    def client_for(self, kind: str) -> Client:
        return self._client

    def refresh_tokens(self, count: int) -> list[str]:
        found: list[str] = json.loads(self.server.ask(str(count)))
        return found

    def close(self) -> None:
        self.server.stop()
