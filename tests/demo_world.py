"""Real platforms: the `sallyport` command in its own process, spoken to over HTTP and the CLI."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SALLYPORT = Path(sys.executable).with_name("sallyport")
START_S = 60


@dataclass(slots=True)
class Running:
    """A command that keeps running; `lines` are those of its standard output, as they come."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str | None]

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of output that matches."""
        while True:
            line = self.lines.get(timeout=START_S)
            assert line is not None, f"it ended with {self.process.wait()} before {pattern!r}"
            found = re.search(pattern, line)
            if found:
                return found


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [SALLYPORT, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield Running(process, lines)
    finally:
        process.terminate()
        process.wait(30)
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the command line and the control API."""

    url: str
    email: str
    api_token: str
    home: Path

    def cli(self, *arguments: str, cwd: Path | None = None, expect: int = 0) -> str:
        """Run a command; its standard output. `expect` is the exit code."""
        done = subprocess.run(
            [SALLYPORT, *arguments],
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "SALLYPORT_URL": self.url,
                "SALLYPORT_EMAIL": self.email,
                "SALLYPORT_API_TOKEN": self.api_token,
            },
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def json(self, *arguments: str, cwd: Path | None = None) -> Any:
        return json.loads(self.cli(*arguments, "--json", cwd=cwd))

    def api(self, method: str, path: str, **request: Any) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            auth=(self.email, self.api_token),
            timeout=30,
            **request,
        )


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo. `facts` is the JSON line that it printed; `pid` that of its process."""

    facts: dict[str, Any]
    folder: Path
    pid: int = 0

    @property
    def operator(self) -> Person:
        """The operator of the platform."""
        state = json.loads((self.folder / "demo.json").read_text())["operator"]
        home = self.folder / "homes" / "operator"
        home.mkdir(parents=True, exist_ok=True)
        return Person(self.facts["public_url"], state["email"], state["api_token"], home)

    @property
    def site_host(self) -> str:
        return str(httpx.URL(self.facts["site_url"]).netloc.decode())

    def person(self, role: str) -> Person:
        account = self.facts["accounts"][role]
        home = self.folder / "homes" / role
        home.mkdir(parents=True, exist_ok=True)
        return Person(self.facts["public_url"], account["email"], account["api_token"], home)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        base: str | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Call the app; by default with the demo's token."""
        headers = {"Authorization": f"Bearer {token or self.facts['access_token']}"}
        headers.update(request.pop("headers", {}))
        return httpx.request(
            method,
            (base or self.facts["base_url"]) + path,
            headers={name: value for name, value in headers.items() if value is not None},
            timeout=30,
            **request,
        )


@contextmanager
def demo_on(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    flags = ("--json", "--port", "0", "--data", str(folder))
    with running("demo", *flags, *arguments, **environment) as command:
        yield Demo(json.loads(command.line(r"^\{.*").string), folder, command.process.pid)
