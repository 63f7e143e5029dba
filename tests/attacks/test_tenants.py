"""T-TEN at the gateway: nothing of one site or app opens or shows anything of another.

Planted bugs that these tests were seen to fail on: `deny_other_site` and `deny_other_app` that
never deny; `deny_other_api` that compares origins alone; a worker shared by installations of one
version; the host form ignoring the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app_world import deploy_echo
from demo_world import demo_on
from two_sites import OTHER, TwoSites, two_sites

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


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with demo_on(tmp_path_factory.mktemp("two") / "data") as demo:
        yield two_sites(demo, ROUTES, FUNCTIONS, SOURCE)


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
    there = two.demo.call("GET", "/note", base=two.there, token=two.token).json()
    assert there["kvs"] is None
    assert there["file"] is None
    assert two.demo.facts["cloud_id"] not in there["seen"]
    two.demo.call("PUT", "/note", base=two.there, token=two.token, content="of the second")
    here = two.app.call("GET", "/note").json()
    assert here["kvs"] == "of the first site"
    assert two.site_id not in here["seen"]
    assert here["process"] != there["process"]


def test_a_token_opens_its_own_app_only(two: TwoSites) -> None:
    other = deploy_echo(two.demo)
    answer = other.call("GET", "/open/x", token=two.app.tokens["access_token"])
    assert answer.status_code == 403
    assert answer.json()["reason"] == "token_for_other_app"


def test_a_token_for_one_api_opens_no_other(two: TwoSites) -> None:
    """RFC 8707: of two sites, two apps and both forms of the base URL, one API takes the token."""
    app, demo = two.app, two.demo
    app2 = deploy_echo(demo)
    tokens = {
        app.base_url: app.consent(),
        app2.base_url: app2.consent(),
        two.there: app.consent("outsider", site_id=two.site_id),
    }
    for mine, tokened in tokens.items():
        refresh = {"grant_type": "refresh_token", "refresh_token": tokened["refresh_token"]}
        token = (app2 if mine == app2.base_url else app).exchange(**refresh, resource=mine)
        for base in tokens:
            path = "/open/x" if base == app2.base_url else "/note"
            answer = demo.call("GET", path, base=base, token=token["access_token"])
            if base == mine:
                assert answer.status_code == 200, answer.text
            else:
                assert answer.status_code == 401, (mine, base)
                assert answer.json()["reason"] == "token_for_other_api"
    on_host = demo.facts["public_url"] + f"/gateway/api/svc/jira/apps/{app.base_url[-73:]}"
    refresh = {"grant_type": "refresh_token", "refresh_token": app.consent()["refresh_token"]}
    token = app.exchange(**refresh, resource=app.base_url)
    for host, status in ((demo.site_host, 200), (OTHER, 401)):
        headers = {"Host": host}
        said = demo.call("GET", "/note", base=on_host, token=token["access_token"], headers=headers)
        assert said.status_code == status, said.text


def test_refusals_are_explained_to_those_whose_business_they_are(two: TwoSites) -> None:
    refused = two.demo.call("GET", "/note", base=two.there, token="not-a-token").json()
    decision = f"/decisions/{refused['decision_id']}"
    assert two.demo.person("outsider").api("GET", decision).status_code == 200
    for stranger in ("admin", "member", "developer"):
        answer = two.demo.person(stranger).api("GET", decision)
        assert answer.status_code == 404, stranger
    listed = two.demo.person("admin").api("GET", f"/admin/sites/{two.site_id}/decisions")
    assert listed.status_code == 404
