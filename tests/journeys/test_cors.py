"""A page of another origin calls an app from a real browser, where the manifest says that it may.

Planted bugs that these tests were seen to fail on: answering a preflight without looking at the
origin; handing on an app's own access-control headers; refusals without the headers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from app_world import DeployedApp, deploy_app
from browsing import chromium
from demo_world import Demo

__all__ = ["chromium"]

SOURCE = """
def answer(request, context):
    headers = {
        "x-total": "7",
        "access-control-allow-origin": "*",
        "access-control-allow-credentials": "true",
    }
    return {"statusCode": 200, "headers": headers, "body": {"said": request.body}}
"""
SCOPES = ["use:it:custom"]
FUNCTIONS = [{"key": "answer", "handler": "index.answer"}]
CALL = """
async ([url, token, path]) => {
    const headers = {
        "Authorization": "Bearer " + token,
        "Content-Type": "application/json",
        "Idempotency-Key": crypto.randomUUID(),
        "X-Client": "page",
    };
    try {
        const answer = await fetch(url + path, {method: "POST", headers, body: '{"a":1}'});
        return {
            status: answer.status,
            body: await answer.text(),
            total: answer.headers.get("x-total"),
            limit: answer.headers.get("ratelimit"),
            trace: answer.headers.get("atl-traceid"),
        };
    } catch (error) {
        return {error: String(error)};
    }
}
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>page</title>")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class World:
    app: DeployedApp
    good: str
    evil: str


@pytest.fixture(scope="module")
def world(demo: Demo) -> Iterator[World]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Page) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    good, evil = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    cors = {"origins": [good], "headers": ["X-Client"], "exposeHeaders": ["X-Total"]}
    routes = [
        {
            "key": name,
            "path": f"/{name}",
            "operation": "POST",
            "function": "answer",
            "scopes": SCOPES,
            **more,
        }
        for name, more in (("open", {"cors": cors}), ("shut", {}))
    ]
    yield World(deploy_app(demo, routes, FUNCTIONS, SOURCE), good, evil)
    for server in servers:
        server.shutdown()
        server.server_close()


def test_pages_call_what_is_open_to_them(world: World, chromium: Browser) -> None:
    token = world.app.tokens["access_token"]

    def fetched(origin: str, path: str, token: str = token) -> dict[str, Any]:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(origin)
        answer: dict[str, Any] = page.evaluate(CALL, [world.app.base_url, token, path])
        context.close()
        return answer

    answer = fetched(world.good, "/open")
    assert (answer["status"], answer["body"]) == (200, '{"said":"{\\"a\\":1}"}')
    assert answer["total"] == "7"
    assert answer["limit"]
    assert answer["trace"]
    # The page may read why it was refused.
    refused = fetched(world.good, "/open", "abc")
    assert refused["status"] == 401
    assert "token_invalid" in refused["body"]
    for origin, path in ((world.evil, "/open"), (world.good, "/shut"), (world.evil, "/shut")):
        assert "Failed to fetch" in fetched(origin, path)["error"]


def test_preflights_over_http(world: World) -> None:
    url = world.app.base_url

    def ask(path: str, origin: str) -> httpx.Response:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return httpx.options(url + path, headers=headers)

    answered = ask("/open", world.good)
    assert answered.status_code == 204
    assert answered.headers["access-control-allow-origin"] == world.good
    assert answered.headers["access-control-max-age"] == "600"
    assert answered.headers["atl-traceid"]
    assert answered.content == b""
    refused = ask("/open", world.evil)
    assert refused.status_code == 403
    assert refused.json()["reason"] == "cors_refused"
    assert "access-control-allow-origin" not in refused.headers
    shut = ask("/shut", world.good)
    assert (shut.status_code, shut.headers["allow"]) == (405, "POST")
    assert not [name for name in shut.headers if name.startswith("access-control-")]


def test_an_apps_own_headers_open_nothing(world: World) -> None:
    answer = world.app.call("POST", "/shut", headers={"Origin": world.evil})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]
