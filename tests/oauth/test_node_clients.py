"""Clients that nobody here wrote, strict by design, run the whole flow against a live platform.

openid-client and oauth4webapi (npm): discovery, authorization with PKCE, by PAR or by the address,
with bearer or bound tokens, `iss` checked, exchange, a call to an app, refresh, introspection and
revocation. The person signs in on the way, on the real pages.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from app_world import REDIRECT_URI, DeployedApp
from npm import installed
from sallyport.cli.browser import Browser

CLIENTS = Path(__file__).parent / "clients"
KEY = ECKey.generate_key("P-256", {"kid": "client-key"})
SCOPE = "read:thing:custom read:forge-app:jira offline_access"


@dataclass(frozen=True)
class Way:
    """How one client goes. `method` is how it signs in."""

    library: str
    method: str
    par: bool = False
    dpop: bool = False
    resource: bool = False

    def __str__(self) -> str:
        parts = [name for name in ("par", "dpop", "resource") if getattr(self, name)]
        return "-".join([self.library, self.method, *parts])


WAYS = [
    Way("openid-client", "client_secret_basic"),
    Way("openid-client", "client_secret_post", par=True, dpop=True, resource=True),
    Way("openid-client", "none", dpop=True),
    Way("oauth4webapi", "private_key_jwt", par=True, dpop=True, resource=True),
    Way("oauth4webapi", "client_secret_basic", resource=True),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    folder = installed(CLIENTS)
    for script in CLIENTS.glob("*.mjs"):
        shutil.copyfile(script, folder / script.name)
    return folder


def client_of(echo: DeployedApp, way: Way) -> dict[str, Any]:
    """An integration that is held to what the client does."""
    keys = {"keys": [KEY.as_dict(private=False)]} if way.method == "private_key_jwt" else None
    answer = echo.demo.person("developer").api(
        "POST",
        "/integrations",
        json={
            "name": f"Strict {way}"[:60],
            "redirect_uris": [REDIRECT_URI],
            "public": way.method == "none",
            "require_par": way.par,
            "require_dpop": way.dpop,
            "jwks": keys,
            "link": {
                "site": echo.demo.facts["cloud_id"],
                "app_id": echo.app_id,
                "environment": "development",
                "scopes": ["read:thing:custom"],
                "product_scopes": ["read:forge-app:jira"],
            },
        },
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def allow(echo: DeployedApp, url: str) -> str:
    """A browser opens the address, its person signs in on the way and allows; where it ends."""
    facts = echo.demo.facts
    account = facts["accounts"]["member"]
    async with Browser(facts["public_url"]) as browser:
        door = await browser.open(url)
        assert door.url.path == "/login", door.url
        signed = await browser.submit(
            door, "password", email=account["email"], password=account["password"]
        )
        question = await browser.open(signed.headers["location"])
        answer = await browser.submit(
            question, "client_id", site=facts["cloud_id"], decision="allow"
        )
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_strict_client_runs_the_whole_flow(packages: Path, echo: DeployedApp, way: Way) -> None:
    made = client_of(echo, way)
    told = {
        "issuer": echo.demo.facts["public_url"],
        "client_id": made["client_id"],
        "secret": made.get("client_secret"),
        "jwk": KEY.as_dict(private=True),
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPE,
        "call": echo.base_url + "/open/x",
        "method": way.method,
        "par": way.par,
        "dpop": way.dpop,
        "resource": echo.base_url if way.resource else None,
    }
    node = subprocess.Popen(
        ["node", f"{way.library}.mjs", json.dumps(told)],
        cwd=packages,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with node:
        assert node.stdin is not None
        assert node.stdout is not None
        assert node.stderr is not None
        asked = node.stdout.readline()
        assert asked, node.stderr.read()
        back = asyncio.run(allow(echo, json.loads(asked)["url"]))
        out, errors = node.communicate(back + "\n", timeout=60)
    assert node.returncode == 0, errors
    seen = json.loads(out)
    assert ("request_uri=" in seen["asked"]) is way.par
    assert ("state=" in seen["asked"]) is not way.par
    assert seen["type"].lower() == ("dpop" if way.dpop else "bearer")
    assert (seen["first"], seen["second"], seen["dead"]) == (200, 200, 401)
    assert seen["rotated"] is True
    assert seen["refused"] == "invalid_grant"
    if way.method != "none":
        assert (seen["active"], seen["after"]) == (True, False)
    if way.library == "oauth4webapi" and not way.dpop:
        assert seen["audience"] == echo.base_url
