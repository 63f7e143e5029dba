"""Packages of apps over the control API, and bundles that nothing refers to any more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from app_folder import HANDLER, manifest, upload

from package_index import PackageIndex
from sallyport.control.bundles import remove_unneeded_bundles
from serving import Platform, refused


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageIndex:
    """An index that is what pip uses on this host."""
    made = PackageIndex(tmp_path / "index")
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", made.url)
    return made


@pytest.fixture
def developer(platform: Platform) -> Iterator[httpx.Client]:
    with platform.operator, platform.make_account("dev@acme.test") as client:
        yield client


def new_app(developer: httpx.Client) -> str:
    made = developer.post("/apps", json={"name": "People"})
    assert made.status_code == 201, made.text
    return str(made.json()["app_id"])


def deploy(
    developer: httpx.Client, app_id: str, files: dict[str, str], key: str = "development"
) -> httpx.Response:
    scopes = f"/apps/{app_id}/environments/{key}/custom-scopes"
    body = {"scopes": [{"name": "read:employee:custom", "description": "Read names"}]}
    assert developer.post(scopes, json=body).status_code == 200
    return developer.post(
        f"/apps/{app_id}/environments/{key}/deployments",
        content=upload(manifest(app_id), {"src/index.py": HANDLER, **files}),
        headers={"content-type": "application/zip"},
    )


def bundles(platform: Platform) -> set[str]:
    return {path.name for path in platform.services.bundles.iterdir()}


def collect(platform: Platform, *running: Path) -> int:
    """What the platform does every hour, for bundles that have lain for two."""
    ago = time.time() - 7_200
    for path in platform.services.bundles.iterdir():
        os.utime(path, (ago, ago))
    services = platform.services
    return platform.act(
        remove_unneeded_bundles(services.store, services.bundles, lambda: list(running))
    )


def test_a_deployment_says_what_its_packages_were_resolved_to(
    platform: Platform, developer: httpx.Client, index: PackageIndex
) -> None:
    index.add("inner", "2.0")
    digest = index.add("outer", "1.2", requires=("inner",))
    made = deploy(developer, new_app(developer), {"requirements.txt": "outer<2\n"})
    assert made.status_code == 201, made.text
    packages = made.json()["packages"]
    assert [(each["name"], each["version"]) for each in packages] == [
        ("inner", "2.0"),
        ("outer", "1.2"),
    ]
    assert packages[1]["sha256"] == digest
    folder = platform.services.bundles / made.json()["bundle"]
    assert (folder / "packages" / "outer.py").read_text() == "VERSION = '1.2'\n"


def test_a_package_that_cannot_be_had_refuses_the_deployment(
    platform: Platform, developer: httpx.Client, index: PackageIndex
) -> None:
    app_id = new_app(developer)
    missing = deploy(developer, app_id, {"requirements.txt": "nowhere-to-be-found\n"})
    assert "nowhere-to-be-found" in refused(missing, 422, "dependencies_unresolved")["detail"]
    option = deploy(developer, app_id, {"requirements.txt": "--index-url http://x\n"})
    assert "requirements.txt:1" in refused(option, 422, "dependencies_invalid")["detail"]
    project = deploy(developer, app_id, {"pyproject.toml": "[project"})
    refused(project, 422, "dependencies_invalid")
    listed = developer.get(f"/apps/{app_id}/environments/development/deployments")
    assert listed.json()["items"] == []


def test_a_bundle_goes_only_when_no_version_and_no_worker_needs_it(
    platform: Platform, developer: httpx.Client
) -> None:
    app_id = new_app(developer)
    environments = f"/apps/{app_id}/environments"
    assert developer.post(environments, json={"key": "trial"}).status_code == 201
    kept = deploy(developer, app_id, {"src/a.py": "1"}).json()["bundle"]
    newer = deploy(developer, app_id, {"src/a.py": "2"}).json()["bundle"]
    shared = deploy(developer, app_id, {"src/a.py": "1"}, "trial").json()["bundle"]
    gone = deploy(developer, app_id, {"src/a.py": "3"}, "trial").json()["bundle"]
    assert shared == kept
    assert collect(platform) == 0
    assert developer.delete(f"{environments}/trial").status_code == 204
    assert collect(platform, platform.services.bundles / gone) == 0
    assert bundles(platform) == {kept, newer, gone}
    assert collect(platform) == 1
    assert bundles(platform) == {kept, newer}


def test_what_a_crash_left_half_unpacked_goes_and_what_is_new_stays(
    platform: Platform, developer: httpx.Client
) -> None:
    deploy(developer, new_app(developer), {})
    half = platform.services.bundles / ".0123456789abcdef-x"
    (half / "src").mkdir(parents=True)
    (half / "src" / "index.py").write_text("x")
    foreign = platform.services.bundles / "notes"
    foreign.mkdir()
    services = platform.services
    assert platform.act(remove_unneeded_bundles(services.store, services.bundles, list)) == 0
    assert collect(platform) == 1
    assert not half.exists()
    assert foreign.exists()


def test_a_bundle_that_is_deployed_again_is_not_removed_under_way(
    platform: Platform, developer: httpx.Client
) -> None:
    app_id = new_app(developer)
    refused_one = developer.post(
        f"/apps/{app_id}/environments/development/deployments",
        content=upload(manifest(app_id)),
        headers={"content-type": "application/zip"},
    )
    refused(refused_one, 422, "CUSTOM_SCOPES_NOT_AVAILABLE")
    (orphan,) = platform.services.bundles.iterdir()
    ago = time.time() - 7_200
    os.utime(orphan, (ago, ago))
    assert deploy(developer, app_id, {}).status_code == 201
    assert orphan.stat().st_mtime > ago + 3_600
