"""The real `sallyport` program, and a real platform that it started itself."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cli_world import (
    PASSWORD,
    PROGRAM,
    Running,
    Terminal,
    app_id,
    fresh_terminal,
    stored_credentials,
)


@pytest.fixture
def shell(tmp_path: Path) -> Terminal:
    """A person who is not signed in anywhere, in an empty folder."""
    return fresh_terminal(tmp_path)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`sallyport up` on an empty folder, claimed by `sallyport operator claim`."""
    root = tmp_path_factory.mktemp("platform")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    log = root / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen(
            [PROGRAM, "up", "--data", str(root / "data"), "--port", str(port), "--admin-port", "0"],
            cwd=root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(root),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        token = _setup_token(up, log)
        operator = fresh_terminal(root / "operator")
        operator.run(
            *("operator", "claim", "--url", url, "--token", token),
            *("--email", "olga@platform.example", "--name", "Olga", "--password-stdin"),
            stdin=f"{PASSWORD}\n",
        )
        stored = json.loads(stored_credentials(operator).read_text())["accounts"][url]
        with httpx.Client(
            base_url=f"{url}/api/v1",
            auth=(stored["email"], stored["api_token"]),
            trust_env=False,
            timeout=60,
        ) as api:
            yield Running(url, root, operator, api)
    finally:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(20)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def _setup_token(up: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(r"setup\?token=(\S+)", log.read_text())
        if found is not None:
            return found[1]
        assert up.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no setup link: {log.read_text()}")


@pytest.fixture(scope="session")
def site(running: Running) -> str:
    """A site's host."""
    return running.site()


@pytest.fixture(scope="session")
def site_admin(running: Running, site: str) -> Terminal:
    return running.person("ada", **{site: "admin"})


@pytest.fixture(scope="session")
def developer(running: Running, site: str) -> Terminal:
    """A member of the site, in the folder of an app that was made from the template."""
    dana = running.person("dana", **{site: "member"})
    dana.run("create", "Note Board", "-d", "app")
    return dana.moved(dana.folder / "app")


@pytest.fixture(scope="session")
def deployed(developer: Terminal) -> Terminal:
    """The developer, with the app's scopes registered and version 1.1 deployed."""
    developer.run("custom-scopes", "create")
    developer.run("deploy")
    return developer


@pytest.fixture(scope="session")
def installed(deployed: Terminal, site_admin: Terminal, site: str) -> Terminal:
    """The developer, with the app installed on the site and its REST APIs on."""
    app = app_id(deployed)
    site_admin.run("install", "--app", app, "-s", site, "-p", "jira")
    site_admin.run("admin", "rest-apis", "enable", "--app", app, "-s", site)
    return deployed


@pytest.fixture(scope="session")
def running_outsider(running: Running) -> Terminal:
    """Somebody with an account and nothing else."""
    return running.person("otto")
