"""Sallyport as a contender: the platform of `sallyport demo`, with a service account."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from bench.load.cores import Cores
from bench.load.packages import CACHE
from bench.load.servers import Server, free_port
from bench.oauth.contender import Client
from sallyport.cli.browser import Browser

# Requests are counted as ever, up to quotas that one client can not reach.
NO_NEAR_LIMITS = {
    f"SALLYPORT_OAUTH_{each}_REQUESTS_PER_MINUTE": "6000000" for each in ("ADDRESS", "CLIENT")
}
SCOPES = ["read:employee:custom", "write:employee:custom"]


class Ours:
    """SQLite with `synchronous=FULL` in a fresh folder of the checkout's disk."""

    kinds = ("grant", "refresh")
    name = "Sallyport, JWT, every grant committed to disk"

    def __init__(self, cores: Cores) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="oauth-", dir=CACHE))
        command = [
            *(str(Path(sys.executable).with_name("sallyport")), "demo", "--json"),
            *("--port", str(free_port()), "--data", str(self._folder / "data")),
        ]
        self.server = Server(cores, command, self._folder, NO_NEAR_LIMITS)
        try:
            self._demo: dict[str, Any] = json.loads(self.server.read_line())
            self._machine = self._service_account()
        except BaseException:
            self.close()
            raise
        self.url = f"{self._demo['public_url']}/oauth/token"

    def client_for(self, kind: str) -> Client:
        if kind == "grant":
            return self._machine
        return Client(self._demo["client_id"], self._demo["client_secret"])

    def refresh_tokens(self, count: int) -> list[str]:
        """Each from a code of its own, so each is a family of its own."""
        return asyncio.run(self._from_codes(count))

    def close(self) -> None:
        self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _service_account(self) -> Client:
        admin = self._demo["accounts"]["admin"]
        made = httpx.post(
            f"{self._demo['public_url']}/api/v1/admin/sites/{self._demo['cloud_id']}"
            "/service-accounts",
            auth=(admin["email"], admin["api_token"]),
            json={
                "name": "Bench",
                "app_id": self._demo["app_id"],
                "environment": "development",
                "scopes": SCOPES,
            },
            timeout=60,
        )
        made.raise_for_status()
        found = made.json()
        return Client(found["client_id"], found["client_secret"], " ".join(SCOPES))

    async def _from_codes(self, count: int) -> list[str]:
        member = self._demo["accounts"]["member"]
        async with Browser(self._demo["public_url"]) as browser, httpx.AsyncClient() as http:
            await browser.sign_in(member["email"], member["password"])
            url = await self._authorization_url(http)
            return [await self._from_code(browser, http, url) for _ in range(count)]

    async def _authorization_url(self, http: httpx.AsyncClient) -> str:
        developer = self._demo["accounts"]["developer"]
        answer = await http.get(
            f"{self._demo['public_url']}/api/v1/integrations/{self._demo['client_id']}",
            auth=(developer["email"], developer["api_token"]),
        )
        answer.raise_for_status()
        url: str = answer.json()["links"][0]["authorization_url"]
        return url

    async def _from_code(self, browser: Browser, http: httpx.AsyncClient, url: str) -> str:
        code = await browser.consent(url, self._demo["cloud_id"])
        client = self.client_for("refresh")
        tokens = await http.post(
            self.url,
            headers={"Authorization": client.basic},
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._demo["redirect_uri"],
            },
        )
        tokens.raise_for_status()
        token: str = tokens.json()["refresh_token"]
        return token
