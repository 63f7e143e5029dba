"""A platform whose operator has an identity provider: `oidc-provider`, in a process of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app_world import DeployedApp, deploy_echo
from demo_world import Demo, demo_on
from npm import installed

HERE = Path(__file__).parent
SECRET = "the secret of sallyport: with + and %"

MAPPING = """\
# Who comes in by the company's provider.
account:
  email: email
require:
  - {claim: groups, contains: staff}
refuse:
  - {claim: groups, contains: suspended}
sites:
  - {site: "%s", role: member, claim: groups, contains: acme}
  - {site: "%s", role: admin, claim: groups, contains: acme-admins}
  - {site: gone.test, role: admin, claim: groups, contains: acme}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Idp:
    """The provider; `be` says who signs in there from now on."""

    url: str
    process: subprocess.Popen[str]

    def be(self, sub: str, *groups: str, **claims: Any) -> None:
        person = {
            "sub": sub,
            "email": f"{sub}@acme.test",
            "email_verified": True,
            "name": sub.title(),
            "groups": list(groups),
            **claims,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(person) + "\n")
        self.process.stdin.flush()
        # It also writes notices.
        while (line := self.process.stdout.readline()) != "ok\n":
            assert line, "the provider has ended"


@dataclass
class Company:
    """A platform, its operator's provider, and an app on its site."""

    demo: Demo
    idp: Idp

    @property
    def url(self) -> str:
        return str(self.demo.facts["public_url"])

    @contextmanager
    def browser(self) -> Iterator[Walker]:
        with httpx.Client(timeout=30) as http:
            yield Walker(self.url, http)


class Walker:
    """A browser that follows redirects one by one, between platform and provider."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self.http = http

    def get(self, address: str) -> httpx.Response:
        return self.http.get(httpx.URL(self.url).join(address))

    def until(self, address: str, prefix: str) -> str:
        """Follow redirects until one leads below `prefix`, which is not visited."""
        for _ in range(12):
            answer = self.http.get(address)
            assert answer.is_redirect, f"{address}: {answer.status_code} {answer.text[:2000]}"
            address = str(answer.url.join(answer.headers["location"]))
            if address.startswith(prefix):
                return address
        raise AssertionError(f"redirects did not lead to {prefix}")

    def back(self, start: str = "/login/provider") -> str:
        """Sign in at the provider; the address of the platform that it sends back to."""
        return self.until(str(httpx.URL(self.url).join(start)), f"{self.url}/login/provider/call")

    def sign_in(self, start: str = "/login/provider") -> httpx.Response:
        return self.http.get(self.back(start))

    def who(self) -> str | None:
        """The email of who is signed in."""
        page = self.get("/account")
        return page.text.split("@acme.test")[0].split(">")[-1] if page.is_success else None


@contextmanager
def provider_on(port: int, redirect_uri: str) -> Iterator[Idp]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no Node on this machine to run oidc-provider with.")
    folder = installed(HERE)
    shutil.copyfile(HERE / "server.mjs", folder / "server.mjs")
    process = subprocess.Popen(
        [node, "server.mjs", str(port), redirect_uri],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "listens\n":
                break
        yield Idp(f"http://localhost:{port}", process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    port, idp_port = free_port(), free_port()
    mapping, secret = folder / "mapping.yaml", folder / "secret"
    mapping.write_text(MAPPING % ("127.0.0.1", "127.0.0.1"))
    secret.write_text(f"{SECRET}\n")
    settings = {
        "SALLYPORT_OIDC_ISSUER": f"http://localhost:{idp_port}",
        "SALLYPORT_OIDC_CLIENT_ID": "sallyport",
        "SALLYPORT_OIDC_CLIENT_SECRET_FILE": str(secret),
        "SALLYPORT_OIDC_SCOPES": "openid email profile groups",
        "SALLYPORT_OIDC_NAME": "Acme",
        "SALLYPORT_OIDC_MAPPING": str(mapping),
        "SALLYPORT_SIGN_IN_ATTEMPTS": "1000",
    }
    callback = f"http://localhost:{port}/login/provider/callback"
    with (
        provider_on(idp_port, callback) as idp,
        demo_on(folder / "data", "--port", str(port), **settings) as demo,
    ):
        assert urlsplit(demo.facts["site_url"]).hostname == "127.0.0.1"
        yield Company(demo, idp)


@pytest.fixture(scope="session")
def company_app(company: Company) -> DeployedApp:
    return deploy_echo(company.demo)
