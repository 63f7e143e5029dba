"""One app on two sites of a demo, each with REST APIs on and a machine that calls it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.load.cores import Cores
from bench.load.packages import CACHE
from bench.load.servers import Server, free_port

PATH = "/employees/1234"
SCOPES = ["read:employee:custom"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where calls to the app go there, and a token for it."""

    url: str
    token: str


class TwoSites:
    """`noisy` and `quiet` are sites of two organizations on one platform.

    An app may be called `a_second` times a second on each.
    """

    def __init__(self, cores: Cores, a_second: int) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="neighbour-", dir=CACHE))
        quota = str(a_second * 60)
        env = {
            **dict.fromkeys(
                (
                    "SALLYPORT_APP_CALLS_PER_MINUTE",
                    "SALLYPORT_ACCOUNT_CALLS_PER_MINUTE",
                    "SALLYPORT_INTEGRATION_CALLS_PER_MINUTE",
                ),
                quota,
            ),
            "SALLYPORT_REFUSED_CALLS_PER_MINUTE": quota,
        }
        command = [
            *(str(Path(sys.executable).with_name("sallyport")), "demo", "--json"),
            *("--port", str(free_port()), "--data", str(self._folder / "data")),
        ]
        self._server = Server(cores, command, self._folder, env)
        try:
            self._demo: dict[str, Any] = json.loads(self._server.read_line())
            state = json.loads((self._folder / "data" / "demo.json").read_text())
            self._operator = state["operator"]
            self.noisy = self._caller(self._demo["cloud_id"], self._demo["accounts"]["admin"])
            self.quiet = self._caller(self._another_site(), self._demo["accounts"]["outsider"])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _another_site(self) -> str:
        """A new site with the app installed; the outsider is its admin."""
        made = self._api(self._operator, "POST", "/operator/organizations", name="Quiet")
        site = self._api(
            self._operator,
            "POST",
            "/operator/sites",
            organization_id=made["id"],
            host="quiet.example",
            name="Quiet",
            products=["jira"],
        )["site_id"]
        admin = self._demo["accounts"]["outsider"]
        members = f"/operator/sites/{site}/members/{admin['account_id']}"
        self._api(self._operator, "PUT", members, role="admin")
        place = {"app_id": self._demo["app_id"], "environment": "development"}
        self._api(admin, "POST", "/installations", **place, site=site, product="jira")
        app = f"/admin/sites/{site}/apps/{self._demo['app_id']}/environments/development"
        self._api(admin, "PUT", f"{app}/rest-apis", enabled=True)
        return str(site)

    def _caller(self, site: str, admin: dict[str, Any]) -> Site:
        made = self._api(
            admin,
            "POST",
            f"/admin/sites/{site}/service-accounts",
            name="Bench",
            app_id=self._demo["app_id"],
            environment="development",
            scopes=SCOPES,
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
        base = self._demo["base_url"].replace(self._demo["cloud_id"], site)
        return Site(base + PATH, answer.json()["access_token"])

    def _api(self, who: dict[str, Any], method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(
            method,
            f"{self._demo['public_url']}/api/v1{path}",
            auth=(who["email"], who["api_token"]),
            json=body,
            timeout=60,
        )
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None
