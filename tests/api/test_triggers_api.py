"""Web triggers and scheduled triggers over real faces: a running platform, deployed apps."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app_world import archive
from demo_world import Demo

SOURCE = """
import json
from sallyport_app import kvs

def hook(request, context):
    return {"statusCode": 201, "headers": {"x-app": "yes"}, "body": json.dumps({
        "method": request.method, "path": request.path, "userPath": request.user_path,
        "headers": request.headers, "query": request.query_parameters, "body": request.body,
        "account": context.account_id, "installation": context.installation_id,
        "module": context["moduleKey"], "type": context["moduleType"],
    })}

def choose(request):
    return {"outputKey": request.body}

def bad(request):
    return {"statusCode": 200, "body": "mine"}

def tidy(request, context):
    count = kvs.get("runs", 0) + 1
    kvs.set("runs", count)
    print("tidied", context["moduleKey"], count)
"""

MODULES: dict[str, Any] = {
    "webtrigger": [
        {"key": "hook", "function": "run-hook"},
        {
            "key": "fixed",
            "function": "run-choose",
            "response": {
                "type": "static",
                "outputs": [
                    {
                        "key": "ok",
                        "statusCode": 202,
                        "body": "<b>ok</b>",
                        "contentType": "text/html",
                    },
                    {"key": "no", "statusCode": 403},
                ],
            },
        },
        {
            "key": "wrong",
            "function": "run-bad",
            "response": {"type": "static", "outputs": [{"key": "ok", "statusCode": 200}]},
        },
        {"key": "also-wrong", "function": "run-choose"},
    ],
    "scheduledTrigger": [{"key": "tidy", "function": "run-tidy", "interval": "hour"}],
    "function": [
        {"key": f"run-{name}", "handler": f"index.{name}"}
        for name in ("hook", "choose", "bad", "tidy")
    ],
}


class Installed:
    """An app with triggers, installed on the demo's site."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.developer, self.admin = demo.person("developer"), demo.person("admin")
        made = self._ok(
            self.developer.api("POST", "/apps", json={"name": f"T {uuid.uuid4().hex[:8]}"})
        )
        self.app_id = made["app_id"]
        self.deploy(MODULES)
        self.id = self.install()

    def deploy(self, modules: dict[str, Any]) -> None:
        manifest = {
            "app": {
                "id": f"ari:cloud:ecosystem::app/{self.app_id}",
                "runtime": {"name": "python3"},
            },
            "modules": modules,
        }
        self._ok(
            self.developer.api(
                "POST",
                f"/apps/{self.app_id}/environments/development/deployments",
                content=archive({"manifest.yml": json.dumps(manifest), "src/index.py": SOURCE}),
                headers={"Content-Type": "application/zip"},
            )
        )

    def install(self) -> str:
        where = {
            "app_id": self.app_id,
            "environment": "development",
            "site": self.demo.facts["cloud_id"],
            "product": "jira",
        }
        return str(
            self._ok(self.admin.api("POST", "/installations", json=where))["installation_id"]
        )

    def url(self, key: str) -> dict[str, Any]:
        path = f"/installations/{self.id}/web-triggers"
        return self._ok(self.admin.api("POST", path, json={"key": key}))

    @staticmethod
    def _ok(answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def app(demo: Demo) -> Installed:
    return Installed(demo)


def test_whoever_knows_the_url_runs_the_function(app: Installed) -> None:
    made = app.url("hook")
    assert made["url"] == app.url("hook")["url"]
    answer = httpx.request(
        "PUT",
        f"{made['url']}/a/b?x=1&x=2",
        content=b'{"n": 1}',
        headers={
            "X-Hub-Signature": "sha256=1",
            "X-Slauth-User-Context-Account-Id": "forged",
            "Authorization": "Basic Zm86YmFy",
            "Cookie": "session=1",
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["x-app"] == "yes"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    seen = answer.json()
    assert seen["method"] == "PUT"
    assert seen["userPath"] == "/a/b"
    assert seen["query"] == {"x": ["1", "2"]}
    assert seen["body"] == '{"n": 1}'
    assert seen["account"] is None
    assert (seen["installation"], seen["module"], seen["type"]) == (app.id, "hook", "webtrigger")
    assert seen["headers"]["x-hub-signature"] == ["sha256=1"]
    kept = set(seen["headers"])
    assert not kept & {"authorization", "cookie", "x-slauth-user-context-account-id"}
    assert made["url"].rpartition("/")[2] not in answer.text


def test_the_secret_is_in_no_record(app: Installed) -> None:
    made = app.url("hook")
    answer = httpx.post(f"{made['url']}/here")
    assert answer.status_code == 201
    site = app.demo.facts["cloud_id"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        kept = app.admin.api("GET", f"/admin/sites/{site}/decisions?limit=100").text
        if f"{made['id']}/here" in kept:
            break
        time.sleep(0.1)
    assert f"/webtrigger/{made['id']}/here" in kept
    assert made["url"].rpartition("/")[2] not in kept


def test_a_static_trigger_answers_as_the_manifest_says(app: Installed) -> None:
    url = app.url("fixed")["url"]
    answer = httpx.post(url, content=b"ok")
    assert (answer.status_code, answer.text) == (202, "<b>ok</b>")
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "x-sallyport-output" not in answer.headers
    refused = httpx.post(url, content=b"no")
    assert (refused.status_code, refused.content) == (403, b"")
    assert httpx.post(url, content=b"unknown").json()["reason"] == "invocation_bad_result"
    for key in ("wrong", "also-wrong"):
        answer = httpx.post(app.url(key)["url"], content=b"ok")
        assert answer.json()["reason"] == "invocation_bad_result", key


def test_what_is_no_url_is_told_alike(app: Installed) -> None:
    url = app.url("hook")["url"]
    base, _, secret = url.rpartition("/")
    flipped = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for wrong in (flipped, "x", secret[:-7], f"{secret}x", ""):
        answer = httpx.post(f"{base}/{wrong}")
        assert answer.status_code == 404
        assert answer.json()["reason"] == "web_trigger_unknown"
    where = urlsplit(url)
    for path in ("/a/../b", "//a", "/a//b", "/%2e%2e/a", "/a/", "/" + "a" * 5000):
        # Clients that repair paths would send another one.
        connection = HTTPConnection(where.netloc)
        connection.request("POST", where.path + path)
        assert json.load(connection.getresponse())["reason"] == "path_not_canonical", path[:20]
        connection.close()


def test_a_url_ends_with_its_deletion_and_with_the_installation(demo: Demo) -> None:
    app = Installed(demo)
    made = app.url("hook")
    assert httpx.post(made["url"]).status_code == 201
    assert app.admin.api("DELETE", f"/web-triggers/{made['id']}").status_code == 204
    assert httpx.post(made["url"]).status_code == 404
    again = app.url("hook")
    assert again["url"] != made["url"]
    assert httpx.post(again["url"]).status_code == 201
    fixed = app.url("fixed")
    without = {**MODULES, "webtrigger": MODULES["webtrigger"][1:]}
    app.deploy(without)
    assert httpx.post(again["url"]).status_code == 404
    assert httpx.post(fixed["url"], content=b"ok").status_code == 202
    assert app.admin.api("DELETE", f"/installations/{app.id}").status_code == 204
    assert httpx.post(again["url"]).status_code == 404
    app.id = app.install()
    assert httpx.post(fixed["url"], content=b"ok").status_code == 404


def test_only_admins_of_the_site_see_and_make_urls(app: Installed) -> None:
    made = app.url("hook")
    path = f"/installations/{app.id}/web-triggers"
    listed = app.admin.api("GET", path).json()["items"]
    assert [each["key"] for each in listed] == ["also-wrong", "fixed", "hook", "wrong"]
    for role, status in (("member", 403), ("outsider", 404)):
        person = app.demo.person(role)
        assert person.api("GET", path).status_code == status
        assert person.api("POST", path, json={"key": "hook"}).status_code == status
        assert person.api("DELETE", f"/web-triggers/{made['id']}").status_code == status
    assert app.admin.api("POST", path, json={"key": "tidy"}).status_code == 404


def test_a_schedule_runs_once_when_it_is_due(own_demo: Demo, tmp_path: Path) -> None:
    app = Installed(own_demo)
    database = next(tmp_path.rglob("sallyport.db"))

    def make_due() -> int:
        with sqlite3.connect(database, timeout=20) as connection:
            moved = connection.execute(
                "UPDATE scheduled_run SET next_at = next_at - 36000000 WHERE installation_id = ?",
                (app.id,),
            )
        connection.close()
        return moved.rowcount

    deadline = time.monotonic() + 30
    while make_due() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    def lines() -> list[str]:
        path = f"/apps/{app.app_id}/environments/development/logs"
        return [each["text"] for each in app.developer.api("GET", path).json()["items"]]

    while not lines():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert make_due() == 1
    while len(lines()) < 2:
        assert time.monotonic() < deadline + 30
        time.sleep(0.2)
    assert lines() == ["tidied tidy 1", "tidied tidy 2"]
