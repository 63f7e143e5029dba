"""Node apps on a running platform: deployed by the command line, called over HTTP."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, archive, deploy_folder
from demo_world import Demo
from sallyport.runtime.node_program import NodeProgram

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "employee-directory-node"


@pytest.fixture(scope="module")
def folder(packages: Path) -> Path:
    """The example, beside installed packages, as after `npm install`."""
    made = packages / "work" / "employee-directory-node"
    shutil.copytree(EXAMPLE, made, ignore=shutil.ignore_patterns("node_modules"))
    return made


@pytest.fixture(scope="module")
def directory(demo: Demo, folder: Path) -> DeployedApp:
    return deploy_folder(demo, folder, ["read:employee:custom", "write:employee:custom"])


def test_the_documentations_sample_answers(directory: DeployedApp) -> None:
    answer = directory.call("GET", "/getEmployeeName?id=1234")
    assert (answer.status_code, answer.json()) == (200, {"id": "1234", "name": "Ada Lovelace"})
    assert answer.headers["content-type"] == "application/json"
    assert directory.call("GET", "/getEmployeeName/1235").json()["name"] == "Grace Hopper"
    assert directory.call("GET", "/getEmployeeName").status_code == 400
    renamed = directory.call("POST", "/editEmployeeName", json={"id": "1234", "name": "Ada King"})
    assert renamed.status_code == 200
    assert directory.call("GET", "/getEmployeeName?id=1234").json()["name"] == "Ada King"
    broken = directory.call(
        "POST",
        "/editEmployeeName",
        content=b"{",
        headers={"content-type": "application/json"},
    )
    assert broken.status_code == 400


def test_what_it_logs_can_be_read(directory: DeployedApp) -> None:
    directory.call("POST", "/editEmployeeName", json={"id": "1236", "name": "Katherine"})
    developer = directory.demo.person("developer")
    ends = time.monotonic() + 20
    while "renamed employee 1236" not in developer.cli("logs", "--app", directory.app_id):
        assert time.monotonic() < ends


def upload(demo: Demo, app_id: str, files: dict[str, str]) -> httpx.Response:
    return demo.person("developer").api(
        "POST",
        f"/apps/{app_id}/environments/development/deployments",
        content=archive(files),
        headers={"Content-Type": "application/zip"},
    )


def manifest(app_id: str, runtime: str) -> str:
    found: dict[str, Any] = {
        "app": {"id": f"ari:cloud:ecosystem::app/{app_id}", "runtime": {"name": runtime}},
        "modules": {
            "apiRoute": [
                {
                    "key": "get-run",
                    "path": "/run",
                    "operation": "GET",
                    "function": "run",
                    "scopes": ["read:employee:custom"],
                }
            ],
            "function": [{"key": "run", "handler": "index.run"}],
        },
    }
    return json.dumps(found)


def test_an_app_that_is_not_built_is_refused(directory: DeployedApp) -> None:
    files = {
        "manifest.yml": manifest(directory.app_id, "nodejs20.x"),
        "src/index.js": "export const run = () => ({ statusCode: 200 });",
    }
    answer = upload(directory.demo, directory.app_id, files)
    assert answer.status_code == 422
    assert answer.json()["reason"] == "bundle_invalid"
    assert answer.json()["detail"] == "dist/index.cjs is missing: a Node app is uploaded built."


def test_a_runtime_newer_than_the_hosts_is_refused(
    directory: DeployedApp, node: NodeProgram
) -> None:
    if node.major >= 24:
        pytest.skip("This host's Node runs every runtime that a manifest may name.")
    files = {
        "manifest.yml": manifest(directory.app_id, "nodejs24.x"),
        "src/index.js": "",
        "dist/index.cjs": "",
    }
    answer = upload(directory.demo, directory.app_id, files)
    assert answer.json()["reason"] == "runtime_unavailable"
    assert answer.json()["detail"] == (
        f"The app asks for nodejs24.x, and this platform has Node {node.version}."
    )
