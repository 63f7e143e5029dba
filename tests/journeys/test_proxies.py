"""The configuration files of examples/proxies, under nginx and Caddy as Debian has them.

Each is run as it stands, but for ports, hosts and certificate files. Sign-in, consent, tokens and
calls go through it, with forged headers.

Planted bugs that these tests were seen to fail on: `X-Forwarded-For` passed on as it came (in
either file); a path after `proxy_pass`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app_world import REDIRECT_URI
from certificates import make_certificate
from demo_world import Demo, demo_on, running
from sallyport.cli.browser import Browser

FILES = Path(__file__).resolve().parents[2] / "examples" / "proxies"
# The proxies connect from 127.0.0.1, which is believed; clients come from elsewhere on this host.
CLIENTS = {"nginx": ("127.0.0.3", "127.0.0.4"), "caddy": ("127.0.0.5", "127.0.0.6")}
REFUSED = 3

PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin"


@dataclass(frozen=True, slots=True)
class Fronted:
    """A platform, for which proxies may be started in front."""

    demo: Demo
    folder: Path
    port: int
    public_port: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    folder = tmp_path_factory.mktemp("fronted")
    make_certificate(folder)
    with demo_on(folder / "data") as demo:
        pass
    port, public_port = free_port(), free_port()
    settings = {
        "SALLYPORT_PUBLIC_URL": f"https://localhost:{public_port}",
        "SALLYPORT_TRUSTED_PROXIES": "127.0.0.1",
        "SALLYPORT_REFUSED_CALLS_PER_MINUTE": str(REFUSED),
    }
    flags = ("--data", str(folder / "data"), "--port", str(port), "--admin-port", "0")
    with running("up", *flags, **settings) as command:
        command.line("listens on")
        yield Fronted(demo, folder, port, public_port)


def written(name: str, replaced: dict[str, str]) -> str:
    """A file of examples/proxies, with each of these texts replaced; each is there."""
    text = (FILES / name).read_text()
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    """A proxy, from when it takes connections."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                output = process.stdout.read() if process.stdout else ""
                raise AssertionError(f"{command[0]} ended: {output}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed: run scripts/ensure-proxies")
    return found


@contextmanager
def nginx(fronted: Fronted) -> Iterator[None]:
    folder = fronted.folder / "nginx"
    folder.mkdir()
    site = written(
        "nginx.conf",
        {
            "127.0.0.1:8440": f"127.0.0.1:{fronted.port}",
            "listen 443": f"listen 127.0.0.1:{fronted.public_port}",
            "apps.example.com acme.example.com": "localhost 127.0.0.1",
            "/etc/ssl": str(fronted.folder),
        },
    )
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    command = [program("nginx"), "-p", str(folder), "-e", "stderr", "-c", f"{folder}/nginx.conf"]
    with started(command, fronted.public_port):
        yield


@contextmanager
def caddy(fronted: Fronted) -> Iterator[None]:
    folder = fronted.folder / "caddy"
    folder.mkdir()
    port = fronted.public_port
    site = written(
        "Caddyfile",
        {
            "127.0.0.1:8440": f"127.0.0.1:{fronted.port}",
            "apps.example.com, acme.example.com": f"localhost:{port}, 127.0.0.1:{port}",
            "/etc/ssl": str(fronted.folder),
        },
    )
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n"
    (folder / "Caddyfile").write_text(options + site)
    command = [program("caddy"), "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]
    with started(["env", f"HOME={folder}", f"XDG_DATA_HOME={folder}", *command], port):
        yield


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_pages_tokens_and_calls_go_through(
    fronted: Fronted, proxy: Callable[[Fronted], Iterator[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(fronted.folder / "apps.pem"))
    with proxy(fronted):
        token = token_through(fronted)
        client, other = CLIENTS[proxy.__name__]
        call_and_forge(fronted, token, client, other)
        sign_in_and_forge(fronted, client)


def token_through(fronted: Fronted) -> str:
    """Sign in, consent and get a token, all of it through the proxy."""
    facts = fronted.demo.facts
    url = f"https://localhost:{fronted.public_port}"
    asks = {
        "client_id": facts["client_id"],
        "redirect_uri": facts["redirect_uri"],
        "response_type": "code",
        "scope": "read:employee:custom read:forge-app:jira",
        "state": "s",
        "prompt": "consent",
    }
    member = facts["accounts"]["member"]

    async def walk() -> str:
        async with Browser(url) as browser:
            await browser.sign_in(member["email"], member["password"])
            return await browser.consent(
                str(httpx.URL(f"{url}/authorize", params=asks)), facts["cloud_id"]
            )

    answer = httpx.post(
        f"{url}/oauth/token",
        data={
            "grant_type": "authorization_code",
            "code": asyncio.run(walk()),
            "redirect_uri": REDIRECT_URI,
            "client_id": facts["client_id"],
            "client_secret": facts["client_secret"],
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@contextmanager
def client_at(fronted: Fronted, address: str) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(fronted.folder / "apps.pem"))
    transport = httpx.HTTPTransport(verify=context, local_address=address)
    base = f"https://localhost:{fronted.public_port}"
    with httpx.Client(base_url=base, transport=transport, timeout=30) as client:
        yield client


def forged(number: int = 0) -> dict[str, str]:
    address = f"203.0.113.{number}"
    return {
        "X-Forwarded-For": address,
        "Forwarded": f"for={address};host=forged.test",
        "X-Real-IP": address,
        "X-Forwarded-Host": "forged.test",
        "X-Forwarded-Proto": "http",
    }


def call_and_forge(fronted: Fronted, token: str, here: str, elsewhere: str) -> None:
    facts = fronted.demo.facts
    app = f"apps/{facts['app_id']}_{facts['environment_id']}/employees/1234"
    bearer = {"Authorization": f"Bearer {token}"}
    with client_at(fronted, here) as client, client_at(fronted, elsewhere) as other:
        answer = client.get(f"/svc/jira/{facts['cloud_id']}/{app}", headers=bearer)
        assert answer.status_code == 200, answer.text
        whole = answer.json()
        host = f"{httpx.URL(facts['site_url']).host}:{fronted.public_port}"
        answer = client.get(
            f"/gateway/api/svc/jira/{app}", headers={**bearer, **forged(), "Host": host}
        )
        assert answer.json() == whole
        # The path arrives as it was sent.
        answer = client.get(f"/svc/jira/{facts['cloud_id']}/{app}//x", headers=bearer)
        assert answer.json()["reason"] == "path_not_canonical"
        # Refusals count by the client's own address, whatever it says of itself.
        nothing = f"/svc/jira/{facts['cloud_id']}/nothing"
        statuses = [
            client.get(nothing, headers=forged(number)).status_code for number in range(REFUSED + 2)
        ]
        assert statuses[-1] == 429, statuses
        assert other.get(nothing).status_code == 404


def sign_in_and_forge(fronted: Fronted, here: str) -> None:
    """A refused sign-in is in the audit with the address of who tried."""
    with client_at(fronted, here) as client:
        page = client.get("/login", headers=forged())
        assert page.status_code == 200
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        answer = client.post(
            "/api/v1/login",
            json={"email": "nobody@demo.test", "password": "wrong", "label": "x"},
            headers=forged(7),
        )
        assert answer.status_code == 401, answer.text
    database = sqlite3.connect(f"file:{fronted.folder}/data/sallyport.db?mode=ro", uri=True)
    row = database.execute(
        "SELECT address FROM audit WHERE event = 'session:refused' ORDER BY seq DESC"
    ).fetchone()
    database.close()
    assert row == (here,)
