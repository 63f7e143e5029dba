"""People at terminals: the real `sallyport` program, run in a folder of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

PROGRAM = Path(sys.executable).with_name("sallyport")
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Terminal:
    """A shell of one person: a folder, an environment, and `sallyport` to run in it."""

    folder: Path
    variables: dict[str, str]

    def run(
        self, *arguments: str, exit_code: int = 0, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `sallyport`; the exit code is checked."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env={**self.variables, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def out(self, *arguments: str, **options: Any) -> str:
        return self.run(*arguments, **options).stdout

    def refusal(self, *arguments: str, exit_code: int = 1, **options: Any) -> str:
        """What a failing command says."""
        done = self.run(*arguments, exit_code=exit_code, **options)
        assert done.stderr.startswith(("Error: ", "Usage: ")), done.stderr
        return done.stderr

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self.out(*arguments, "--json", **options))

    def moved(self, folder: Path) -> Terminal:
        return replace(self, folder=folder)


def fresh_terminal(root: Path, **variables: str) -> Terminal:
    folder = root / "work"
    folder.mkdir(parents=True)
    return Terminal(
        folder,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "XDG_CONFIG_HOME": str(root / "config"),
            "LANG": "C.UTF-8",
            **variables,
        },
    )


@dataclass(frozen=True)
class Running:
    """A platform with its first operator, at a terminal and over HTTP."""

    url: str
    root: Path
    operator: Terminal
    api: httpx.Client

    def person(self, name: str, **sites: str) -> Terminal:
        """A new account, signed in by variables: `person("ada", **{site: role})`."""
        email = f"{name}-{uuid.uuid4().hex[:8]}@people.example"
        account = self._made("/accounts", email=email, name=name.title())["account_id"]
        token = self._made(f"/accounts/{account}/api-tokens", label="tests")["token"]
        for site, role in sites.items():
            path = f"/operator/sites/{site}/members/{account}"
            self.api.put(path, json={"role": role}).raise_for_status()
        return fresh_terminal(
            self.root / email,
            SALLYPORT_URL=self.url,
            SALLYPORT_EMAIL=email,
            SALLYPORT_API_TOKEN=token,
        )

    def site(self) -> str:
        """A new site's host."""
        host = f"s{uuid.uuid4().hex[:8]}.example"
        organization = self._made("/organizations", name=f"Org of {host}")["id"]
        self._made("/sites", organization_id=organization, host=host, name=host, products=["jira"])
        return host

    def _made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.api.post(f"/operator{path}", json=body)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made


def stored_credentials(terminal: Terminal) -> Path:
    return Path(terminal.variables["XDG_CONFIG_HOME"]) / "sallyport" / "credentials.json"


def app_id(terminal: Terminal) -> str:
    found = re.search(r"app/([0-9a-f-]{36})", (terminal.folder / "manifest.yml").read_text())
    assert found is not None
    return found[1]
