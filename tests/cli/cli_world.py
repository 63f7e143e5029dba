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
    """A platform with its first operator."""

    url: str
    root: Path
    operator: Terminal

    def person(self, name: str, **sites: str) -> Terminal:
        """A new account, signed in by variables: `person("ada", **{site: role})`."""
        email = f"{name}-{uuid.uuid4().hex[:8]}@people.example"
        self.operator.run("operator", "accounts", "create", email, "--name", name.title())
        token = self.operator.json("operator", "accounts", "api-token", email, "tests")["token"]
        for site, role in sites.items():
            self.operator.run("operator", "members", "set", email, "--role", role, "-s", site)
        return fresh_terminal(
            self.root / email,
            SALLYPORT_URL=self.url,
            SALLYPORT_EMAIL=email,
            SALLYPORT_API_TOKEN=token,
        )

    def site(self) -> str:
        """A new site's host."""
        host = f"s{uuid.uuid4().hex[:8]}.example"
        made = self.operator.json("operator", "organizations", "create", f"Org of {host}")
        self.operator.run("operator", "sites", "create", host, "--organization", made["id"])
        return host


def app_id(terminal: Terminal) -> str:
    found = re.search(r"app/([0-9a-f-]{36})", (terminal.folder / "manifest.yml").read_text())
    assert found is not None
    return found[1]
