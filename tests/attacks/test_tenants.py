"""T-TEN at the gateway: nothing of one site or app opens or shows anything of another.

Planted bugs that these tests were seen to fail on: `deny_other_site` and `deny_other_app` that
never deny; a worker shared by installations of one version; the host form ignoring the host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, deploy_app, deploy_echo
from demo_world import Demo, Person, demo_on

OTHER = "other.example"

SOURCE = """
import os

from sallyport_app import kvs

seen = []


def process():
    # In a sandbox every worker may have the same number, each in a namespace of its own.
    return [os.getpid(), os.readlink("/proc/self/ns/pid")]


def remember(request, context):
    seen.append(context.cloud_id)
    kvs.set("note", request.body)
    with open("note", "w") as file:
        file.write(request.body)
    return {"statusCode": 200, "body": {"process": process()}}


def recall(request, context):
    file = None
    if os.path.exists("note"):
        with open("note") as opened:
            file = opened.read()
    body = {"kvs": kvs.get("note"), "seen": seen, "file": file, "process": process()}
    return {"statusCode": 200, "body": body}
"""
ROUTES: list[dict[str, Any]] = [
    {
        "key": "put",
        "path": "/note",
        "operation": "PUT",
        "function": "remember",
        "scopes": ["write:note:custom"],
    },
    {
        "key": "get",
        "path": "/note",
        "operation": "GET",
        "function": "recall",
        "scopes": ["read:note:custom"],
    },
]
FUNCTIONS = [
    {"key": "remember", "handler": "index.remember"},
    {"key": "recall", "handler": "index.recall"},
]


@dataclass(frozen=True, slots=True)
class TwoSites:
    """One app on two sites. `there` is the base URL on the second, `token` a token for it."""

    demo: Demo
    app: DeployedApp
    site_id: str
    there: str
    token: str


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with demo_on(tmp_path_factory.mktemp("two") / "data") as demo:
        yield _two_sites(demo)


def _two_sites(demo: Demo) -> TwoSites:
    facts = demo.facts
    state = json.loads((demo.folder / "demo.json").read_text())["operator"]
    operator = Person(facts["public_url"], state["email"], state["api_token"], demo.folder)
    organization = _json(operator.api("POST", "/operator/organizations", json={"name": "Other"}))
    site = _json(
        operator.api(
            "POST",
            "/operator/sites",
            json={
                "organization_id": organization["id"],
                "host": OTHER,
                "name": "Other",
                "products": ["jira"],
            },
        )
    )
    for role, part in (("outsider", "admin"), ("developer", "member")):
        account = facts["accounts"][role]["account_id"]
        members = f"/operator/sites/{site['site_id']}/members/{account}"
        _json(operator.api("PUT", members, json={"role": part}))

    app = deploy_app(demo, ROUTES, FUNCTIONS, SOURCE)
    admin, developer = demo.person("outsider"), demo.person("developer")
    place = {"app_id": app.app_id, "environment": "development", "site": site["site_id"]}
    _json(admin.api("POST", "/installations", json={**place, "product": "jira"}))
    switch = f"/admin/sites/{site['site_id']}/apps/{app.app_id}/environments/development/rest-apis"
    _json(admin.api("PUT", switch, json={"enabled": True}))
    linked = _json(
        developer.api(
            "PUT",
            f"/integrations/{app.client_id}/links",
            json={
                **place,
                "scopes": ["read:note:custom", "write:note:custom"],
                "product_scopes": ["read:forge-app:jira"],
            },
        )
    )
    assert len(linked["links"]) == 2
    tokens = app.consent("outsider", site_id=site["site_id"])
    there = (
        f"{facts['public_url']}/svc/jira/{site['site_id']}/apps/{app.app_id}_{app.environment_id}"
    )
    return TwoSites(demo, app, site["site_id"], there, tokens["access_token"])


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def test_a_token_opens_its_own_site_only(two: TwoSites) -> None:
    here = two.app.tokens["access_token"]
    assert two.app.call("GET", "/note").status_code == 200
    assert two.demo.call("GET", "/note", base=two.there, token=two.token).status_code == 200
    for answer in (
        two.demo.call("GET", "/note", base=two.there, token=here),
        two.app.call("GET", "/note", token=two.token),
    ):
        assert answer.status_code == 403
        assert answer.json()["reason"] == "token_for_other_site"


def test_the_host_names_the_site(two: TwoSites) -> None:
    tail = f"/gateway/api/svc/jira/apps/{two.app.app_id}_{two.app.environment_id}/note"
    url = two.demo.facts["public_url"] + tail

    def call(host: str, token: str) -> httpx.Response:
        return httpx.get(url, headers={"Host": host, "Authorization": f"Bearer {token}"})

    assert call(OTHER, two.token).status_code == 200
    assert call(OTHER, two.app.tokens["access_token"]).json()["reason"] == "token_for_other_site"
    assert call(two.demo.site_host, two.token).json()["reason"] == "token_for_other_site"
    assert call("nobody.example", two.token).json()["reason"] == "site_unknown"
    info = httpx.get(
        two.demo.facts["public_url"] + "/_edge/tenant_info", headers={"Host": f"{OTHER}:80"}
    )
    assert info.json() == {"cloudId": two.site_id}


def test_state_files_and_processes_are_each_sites_own(two: TwoSites) -> None:
    assert two.app.call("PUT", "/note", content="of the first site").status_code == 200
    there = _json(two.demo.call("GET", "/note", base=two.there, token=two.token))
    assert there["kvs"] is None
    assert there["file"] is None
    assert two.demo.facts["cloud_id"] not in there["seen"]
    two.demo.call("PUT", "/note", base=two.there, token=two.token, content="of the second")
    here = _json(two.app.call("GET", "/note"))
    assert here["kvs"] == "of the first site"
    assert two.site_id not in here["seen"]
    assert here["process"] != there["process"]


def test_a_token_opens_its_own_app_only(two: TwoSites) -> None:
    other = deploy_echo(two.demo)
    answer = other.call("GET", "/open/x", token=two.app.tokens["access_token"])
    assert answer.status_code == 403
    assert answer.json()["reason"] == "token_for_other_app"


def test_refusals_are_explained_to_those_whose_business_they_are(two: TwoSites) -> None:
    refused = two.demo.call("GET", "/note", base=two.there, token="not-a-token").json()
    decision = f"/decisions/{refused['decision_id']}"
    assert two.demo.person("outsider").api("GET", decision).status_code == 200
    for stranger in ("admin", "member", "developer"):
        answer = two.demo.person(stranger).api("GET", decision)
        assert answer.status_code == 404, stranger
    listed = two.demo.person("admin").api("GET", f"/admin/sites/{two.site_id}/decisions")
    assert listed.status_code == 404
