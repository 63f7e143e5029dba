"""Two demos, one with sandboxes and one without, and the same hostile apps on both."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from app_world import DeployedApp, deploy_app
from demo_world import SALLYPORT, Demo, running

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


@pytest.fixture(scope="session")
def doctor() -> dict[str, Any]:
    """What `sallyport doctor` says of this host."""
    done = subprocess.run([SALLYPORT, "doctor", "--json"], capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if said["fit"] else 1)
    return said


@pytest.fixture(scope="session", params=["sandbox", "plain"])
def field(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, doctor: dict[str, Any]
) -> Iterator[Field]:
    driver = cast(str, request.param)
    if driver == "sandbox" and not doctor["fit"]:
        pytest.skip(f"This host has no sandbox: {doctor['problem']}")
    with _field(driver, tmp_path_factory.mktemp(driver), doctor) as made:
        yield made


@contextmanager
def _field(driver: str, folder: Path, doctor: dict[str, Any]) -> Iterator[Field]:
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
