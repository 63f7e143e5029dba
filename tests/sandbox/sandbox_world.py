"""A field: a platform with a driver, a hostile app on it, and a neighbour with the same code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_world import DeployedApp, deploy_app
from demo_world import Demo, running

HOSTILE = Path(__file__).parent / "apps" / "hostile.py"


@dataclass(frozen=True, slots=True)
class Field:
    """A platform with a driver, a hostile app on it, and a neighbour with the same code."""

    driver: str
    demo: Demo
    platform_pid: int
    app: DeployedApp
    neighbour: DeployedApp
    groups: bool

    @property
    def open(self) -> bool:
        """Whether attacks are known to succeed here."""
        return self.driver == "plain"

    def attack(self, name: str, /, app: DeployedApp | None = None, **settings: object) -> Any:
        """What the attack got; None where it failed."""
        return self.told(name, app, **settings)["got"]

    def told(self, name: str, /, app: DeployedApp | None = None, **settings: object) -> Any:
        answer = (app or self.app).call("GET", f"/attack/{name}", params=settings)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)


@contextmanager
def field_on(driver: str, folder: Path, doctor: dict[str, Any]) -> Iterator[Field]:
    arguments = ("demo", "--json", "--port", "0", "--data", str(folder / "data"))
    with running(*arguments, SALLYPORT_RUNTIME_DRIVER=driver) as command:
        demo = Demo(json.loads(command.line(r"^\{.*").string), folder / "data")
        apps = [_deploy(demo) for _ in range(2)]
        yield Field(
            driver,
            demo,
            command.process.pid,
            *apps,
            groups=doctor["guarantees"]["group_limits"],
        )


def _deploy(demo: Demo) -> DeployedApp:
    route = {
        "key": "door",
        "path": "/attack/**",
        "operation": "GET",
        "function": "attack",
        "scopes": ["read:thing:custom"],
    }
    # More of a bound than the app may reach: a hung attack is killed at it.
    function = {"key": "attack", "handler": "index.attack", "timeoutSeconds": 4}
    return deploy_app(demo, [route], [function], HOSTILE.read_text())


def named_processes(name: str) -> list[int]:
    """The processes of this host that have given themselves this name."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                comm = Path(entry.path, "comm").read_text().strip()
                state = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if comm == name and state not in "ZX":
                found.append(int(entry.name))
    return found
