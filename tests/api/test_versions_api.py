"""Versions compared, and the way back to an earlier one, over the control API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from app_folder import READ, WRITE, manifest, upload

from serving import serving

EGRESS = "permissions:\n  external:\n    fetch:\n      backend: ['https://api.example.com']\n"


class World:
    """An app of which two versions are deployed to development."""

    def __init__(self, developer: httpx.Client, other: httpx.Client) -> None:
        self.developer, self.other = developer, other
        self.app_id = ok(developer.post("/apps", json={"name": "People"}))["app_id"]
        self.place = f"/apps/{self.app_id}/environments/development"
        scopes = [{"name": name, "description": "x"} for name in (READ, WRITE)]
        ok(developer.post(f"{self.place}/custom-scopes", json={"scopes": scopes}))
        self.deploy(manifest(self.app_id))
        self.deploy(manifest(self.app_id, scope=WRITE))

    def deploy(self, text: str, **params: str) -> Any:
        return ok(
            self.developer.post(
                f"{self.place}/deployments",
                content=upload(text),
                params=params,
                headers={"Content-Type": "application/zip"},
            )
        )

    def back(self, version: str) -> httpx.Response:
        return self.developer.post(f"{self.place}/deployments/{version}/roll-back")

    def compared(self, old: str, new: str) -> httpx.Response:
        return self.developer.get(f"{self.place}/deployments/{new}/compare/{old}")


def ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("platform")) as platform:
        assert platform.claim().status_code == 201
        with (
            platform.operator,
            platform.make_account("dana@acme.test") as developer,
            platform.make_account("eve@acme.test") as other,
        ):
            yield World(developer, other)


def test_what_changed_between_two_versions_is_told(world: World) -> None:
    found = ok(world.compared("1.1", "1.2"))
    told = {(each["what"], each["change"], each["name"]) for each in found["items"]}
    assert told == {
        ("route", "changed", "GET /getEmployeeName"),
        ("scope", "added", WRITE),
        ("scope", "removed", READ),
    }
    assert f"now also needs {WRITE}; no longer needs {READ}" in str(found["items"])
    assert found["same_code"] is False
    assert ok(world.compared("1.1", "1.1"))["items"] == []
    for wrong in ("1.9", "1", "1.1.1", "-1.1", "x"):
        assert world.compared("1.1", wrong).status_code == 404


def test_an_earlier_version_is_deployed_again(world: World) -> None:
    made = ok(world.back("1.1"))
    assert (made["version"], made["tag"]) == ("1.3", "back to 1.1")
    found = ok(world.compared("1.1", "1.3"))
    assert (found["items"], found["same_code"]) == ([], True)
    listed = ok(world.developer.get(f"{world.place}/deployments"))["items"]
    assert [each["version"] for each in listed if each["live"]] == ["1.3"]


def test_there_is_no_way_back_to_the_newest_or_another_major(world: World) -> None:
    newest = world.back("1.2")
    assert (newest.status_code, newest.json()["reason"]) == (409, "conflict")
    world.deploy(manifest(world.app_id, extra=EGRESS), approve="MAJOR_VERSION_RULE")
    other_major = world.back("1.1")
    assert other_major.status_code == 409
    assert "another major" in other_major.json()["detail"]


def test_a_way_back_that_reaches_further_needs_its_own_deployment(world: World) -> None:
    """Seen to fail with the judge's verdict left out of the way back: admins agreed to less."""
    world.deploy(manifest(world.app_id, extra=EGRESS), approve="MAJOR_VERSION_RULE")
    assert world.deploy(manifest(world.app_id))["version"] == "2.1"
    answer = world.back("2.0")
    assert (answer.status_code, answer.json()["reason"]) == (409, "MAJOR_VERSION_RULE")


def test_others_neither_compare_nor_go_back(world: World) -> None:
    place = f"{world.place}/deployments"
    compared = world.other.get(f"{place}/1.2/compare/1.1")
    assert compared.status_code == world.other.post(f"{place}/1.1/roll-back").status_code == 404
