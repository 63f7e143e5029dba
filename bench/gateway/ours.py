"""Sallyport as a contender: a platform of `sallyport demo` with the function as one of its apps."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx

from bench.gateway.contender import ECHO, HELLO, SCOPE, Contender
from bench.load.cores import Cores
from bench.load.packages import CACHE
from bench.load.servers import Server, free_port
from sallyport.store.engine import open_store
from sallyport.store.seal import Sealer, master_key
from sallyport.tokens.compact import read_object
from sallyport.tokens.keys import KeyRing, open_keys
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.ids import new_id

APPS = Path(__file__).resolve().parent / "apps"
RUNTIMES = {"Python": "python3", "Node": "nodejs20.x"}
SOURCES = {
    "Python": ("function.py", ("src/index.py",)),
    "Node": ("function.cjs", ("src/index.cjs", "dist/index.cjs")),
}
# Calls are counted as ever, up to quotas that nobody reaches here (the demo sets the others so).
NO_NEAR_LIMITS = {
    "SALLYPORT_REFUSED_CALLS_PER_MINUTE": "6000000",
    "SALLYPORT_QUEUE_PER_INSTALLATION": "1000",
}
WHAT = "token, switch, grant, integration, membership, scopes, limits, record; isolated worker"


class Ours(Contender):
    """The whole decision and the call record are on, and the worker is sandboxed."""

    def __init__(self, cores: Cores, language: str, env: dict[str, str] | None = None) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-", dir=CACHE))
        command = [
            *(str(Path(sys.executable).with_name("sallyport")), "demo", "--json"),
            *("--port", str(free_port()), "--data", str(self._folder / "data")),
        ]
        server = Server(cores, command, self._folder, {**NO_NEAR_LIMITS, **(env or {})})
        super().__init__(f"Sallyport, {language} worker", WHAT, "", [server])
        try:
            self._demo: dict[str, Any] = json.loads(server.read_line())
            self.url, self.token = self._deploy(language)
            self._ring = asyncio.run(self._keys())
        except BaseException:
            self.close()
            raise

    def fresh_tokens(self, count: int) -> list[str]:
        """As the platform would have issued them for the same grant, a `jti` of its own in each."""
        claims = read_object(self.token.split(".")[1])
        signing = self._ring.signing_at(int(time.time() * 1000))
        return [signing.write("at+jwt", {**claims, "jti": new_id()}) for _ in range(count)]

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _keys(self) -> KeyRing:
        data = self._folder / "data"
        sealer = Sealer(master_key(data / "master.key"))
        store = open_store(f"sqlite:///{data / 'sallyport.db'}", SystemClock(), sealer)
        try:
            return (await open_keys(store)).ring
        finally:
            await store.close()

    def _deploy(self, language: str) -> tuple[str, str]:
        """The base URL of the function as an app, and a token of a service account for it."""
        app = self._api("developer", "POST", "/apps", json={"name": f"Bench {language}"})
        app_id = app["app_id"]
        environment = f"/apps/{app_id}/environments/development"
        scope = {"name": SCOPE, "description": "Call the benchmark's function."}
        self._api("developer", "POST", f"{environment}/custom-scopes", json={"scopes": [scope]})
        self._api(
            "developer",
            "POST",
            f"{environment}/deployments",
            content=_archive(app_id, language),
            headers={"Content-Type": "application/zip"},
        )
        site = self._demo["cloud_id"]
        place = {"app_id": app_id, "environment": "development"}
        self._api(
            "admin", "POST", "/installations", json={**place, "site": site, "product": "jira"}
        )
        switch = f"/admin/sites/{site}/apps/{app_id}/environments/development/rest-apis"
        self._api("admin", "PUT", switch, json={"enabled": True})
        made = self._api(
            "admin",
            "POST",
            f"/admin/sites/{site}/service-accounts",
            json={**place, "name": "Bench", "scopes": [SCOPE]},
        )
        answer = httpx.post(
            f"{self._demo['public_url']}/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_id": made["client_id"],
                "client_secret": made["client_secret"],
            },
            timeout=60,
        )
        answer.raise_for_status()
        tail = next(
            each["environment_id"] for each in app["environments"] if each["key"] == "development"
        )
        base = f"{self._demo['public_url']}/svc/jira/{site}/apps/{app_id}_{tail}"
        return base, answer.json()["access_token"]

    def _api(self, role: str, method: str, path: str, **request: Any) -> Any:
        person = self._demo["accounts"][role]
        answer = httpx.request(
            method,
            f"{self._demo['public_url']}/api/v1{path}",
            auth=(person["email"], person["api_token"]),
            timeout=60,
            **request,
        )
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None


def _archive(app_id: str, language: str) -> bytes:
    routes = [
        {
            "key": f"{name}-route",
            "path": path,
            "operation": method,
            "function": name,
            "scopes": [SCOPE],
        }
        for name, method, path in (("hello", "GET", HELLO), ("echo", "POST", ECHO))
    ]
    manifest = {
        "app": {
            "id": f"ari:cloud:ecosystem::app/{app_id}",
            "runtime": {"name": RUNTIMES[language]},
        },
        "modules": {
            "apiRoute": routes,
            "function": [{"key": name, "handler": f"index.{name}"} for name in ("hello", "echo")],
        },
    }
    source, names = SOURCES[language]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("manifest.yml", json.dumps(manifest))
        for name in names:
            archive.writestr(name, (APPS / source).read_text())
    return made.getvalue()
