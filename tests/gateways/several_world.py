"""A platform whose port is served by several processes, and connections to a chosen one of them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from app_world import DeployedApp, deploy_app
from certificates import make_certificate
from demo_world import Demo, Running, demo_on, running
from raw_line import Line

COUNT = 2
MANY = 400
WITHIN_S = 30
PER_MINUTE = 30

SOURCE = """
import os
import time

from sallyport_app import kvs


def run(request, context):
    label = request.path_parameters["label"]
    kvs.set(f"run:{label}:{context['invocationId']}", True)
    time.sleep(float(request.body or 0))
    return {"statusCode": 200, "body": context["invocationId"]}


def runs(request, context):
    prefix = "run:" + request.path_parameters["label"] + ":"
    return {"statusCode": 200, "body": str(len(list(kvs.all(prefix=prefix))))}


def quick(request, context):
    return {"statusCode": 200, "body": "quick"}
"""
SCOPE = "do:it:custom"
OFFLINE = f"{SCOPE} read:forge-app:jira offline_access"
ROUTES: list[dict[str, Any]] = [
    {"key": "route-quick", "path": "/quick", "operation": "GET", "function": "quick"},
    {"key": "route-run", "path": "/run/{label}", "operation": "POST", "function": "run"},
    {"key": "route-runs", "path": "/runs/{label}", "operation": "GET", "function": "runs"},
    {
        "key": "route-few",
        "path": "/few",
        "operation": "GET",
        "function": "quick",
        "rateLimit": {"perMinute": PER_MINUTE},
    },
]
FUNCTIONS = [{"key": name, "handler": f"index.{name}"} for name in ("run", "runs", "quick")]


@dataclass(frozen=True, slots=True)
class Several:
    """A demo of several gateway processes. `admin_url` is the operator's listener."""

    demo: Demo
    command: Running
    admin_url: str

    @property
    def pid(self) -> int:
        """The host's process."""
        return self.command.process.pid

    @property
    def gateways(self) -> list[int]:
        """The processes that take connections, now."""
        return [each for each in _children(self.pid) if b"cli.gateway" in _command(each)]

    @property
    def port(self) -> int:
        return int(str(self.demo.facts["public_url"]).rpartition(":")[2])

    def client(self, pid: int) -> httpx.Client:
        """A client whose one connection is to this process."""
        for _ in range(MANY):
            client = httpx.Client(
                base_url=self.demo.facts["public_url"],
                limits=httpx.Limits(max_connections=1),
                timeout=60,
            )
            answer = client.get("/.well-known/jwks.json")
            if self.owner_of(answer) == pid:
                return client
            client.close()
        raise AssertionError(f"of {MANY} connections none came to process {pid}")

    @contextmanager
    def through(self, pid: int) -> Iterator[httpx.Client]:
        """As `client`, for as long as the block."""
        with closing(self.client(pid)) as client:
            yield client

    def both(self) -> list[httpx.Client]:
        return [self.client(pid) for pid in self.gateways]

    def owner_of(self, answer: httpx.Response) -> int | None:
        """Which process has the connection that an answer came through."""
        _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
        return self._owner(port)

    def _owner(self, port: int) -> int | None:
        inode = _inode(self.port, port)
        return next((pid for pid in self.gateways if inode in _sockets(pid)), None)

    def line(self, app: DeployedApp, pid: int) -> Line:
        """A raw connection to this process, which has made one call already."""
        for _ in range(MANY):
            line = Line(app)
            line.send(line.head("GET", "/quick"))
            assert line.reply()[0] == 200
            if self._owner(line.socket.getsockname()[1]) == pid:
                return line
            line.socket.close()
        raise AssertionError(f"of {MANY} connections none came to process {pid}")

    def metrics(self) -> str:
        return httpx.get(f"{self.admin_url}/metrics", timeout=30).text

    def ready(self) -> httpx.Response:
        return httpx.get(f"{self.admin_url}/readyz", timeout=30)


@contextmanager
def several_on(folder: Path, **environment: str) -> Iterator[Several]:
    flags = ("--json", "--port", "0", "--data", str(folder), "--workers", str(COUNT))
    with running("demo", *flags, **environment) as command:
        facts = json.loads(command.line(r"^\{.*").string)
        port = _listeners(command.process.pid) - {int(facts["public_url"].rpartition(":")[2])}
        (admin,) = port
        yield Several(Demo(facts, folder), command, f"http://127.0.0.1:{admin}")


@contextmanager
def several_by_tls(folder: Path) -> Iterator[Several]:
    """As `several_on`, with TLS on the public port; `SSL_CERT_FILE` names who is trusted."""
    certificate, key = make_certificate(folder)
    with demo_on(folder / "data") as demo:
        pass
    flags = ("--data", str(folder / "data"), "--port", "0", "--admin-port", "0")
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    trusting = {"SSL_CERT_FILE": str(certificate)}
    with (
        patch.dict(os.environ, trusting),
        running("up", *flags, *tls, "--workers", str(COUNT)) as command,
    ):
        demo.facts["public_url"] = url = command.line(r"listens on (https://localhost:\d+)")[1]
        (admin,) = _listeners(command.process.pid) - {int(url.rpartition(":")[2])}
        yield Several(demo, command, f"http://127.0.0.1:{admin}")


def deploy(several: Several) -> DeployedApp:
    routes = [{**route, "scopes": [SCOPE]} for route in ROUTES]
    return deploy_app(several.demo, routes, FUNCTIONS, SOURCE)


def bearer(app: DeployedApp, token: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token or app.tokens['access_token']}"}


def call(client: httpx.Client, app: DeployedApp, path: str = "/quick", **more: Any) -> Any:
    """Call the app through this client, with its token or with `token`."""
    headers = {**bearer(app, more.pop("token", None)), **more.pop("headers", {})}
    return client.request(more.pop("method", "GET"), app.base_path + path, headers=headers, **more)


def until(reached: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return sorted(found)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _table() -> list[tuple[int, int, str, str]]:
    """Local port, remote port, state and inode of every TCP socket."""
    rows = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        ports = [int(part.rpartition(":")[2], 16) for part in parts[1:3]]
        rows.append((ports[0], ports[1], parts[3], parts[9]))
    return rows


def _inode(local: int, remote: int) -> str:
    return next(row[3] for row in _table() if row[:2] == (local, remote))


def _listeners(pid: int) -> set[int]:
    mine = _sockets(pid)
    return {row[0] for row in _table() if row[2] == "0A" and row[3] in mine}


def _sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
        except FileNotFoundError:
            continue
        if match:
            found.add(match[1])
    return found
