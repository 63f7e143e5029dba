"""Outbound fetch over real faces: an app's code, the platform, another server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from product_world import ProductWorld


class Mirror(BaseHTTPRequestHandler):
    """Answers what it was sent."""

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(seen).encode()
        self.send_response(418)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_request_goes_out_and_the_answer_comes_back(world: ProductWorld, mirror: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        body = {} if method in ("GET", "DELETE") else {"json": {"städte": ["Köln"]}}
        found = world.ask(
            "fetch",
            method=method,
            url=f"{mirror}/a b/ü?q=ü",
            headers={"X-Mine": ["1", "2"]},
            **body,
        )
        assert found["status"] == 418
        assert found["headers"]["x-twice"] == "a, b"
        seen = json.loads(found["body"])
        assert seen["method"] == method
        assert seen["path"] == "/a%20b/%C3%BC?q=%C3%BC"
        assert seen["headers"]["x-mine"] in ("1, 2", "2", "1")
        assert seen["headers"]["host"] == mirror.removeprefix("http://")
        assert seen["headers"]["accept-encoding"] == "identity"
        assert seen["body"] == ('{"städte": ["Köln"]}' if body else "")
    assert world.ask("fetch", method="HEAD", url=mirror)["body"] == ""


def test_undeclared_hosts_have_the_error_of_the_contract(world: ProductWorld, mirror: str) -> None:
    for url, app in (("https://localhost/", None), (mirror, world.plain)):
        refused = world.ask("fetch", url=url, app=app)
        assert refused["code"] == "REQUEST_EGRESS_ALLOWLIST_ERR"
        assert refused["status"] == 403
        assert refused["message"] == (
            f"URL not included in the external fetch backend permissions: {url}. "
            "Visit go.atlassian.com/forge-egress for more information."
        )


def test_the_platforms_token_does_not_go_out(world: ProductWorld, mirror: str) -> None:
    found = json.loads(world.ask("fetch", url=mirror)["body"])
    assert "authorization" not in found["headers"]
    own = {"Authorization": "Bearer mine"}
    found = json.loads(world.ask("fetch", url=mirror, headers=own)["body"])
    assert found["headers"]["authorization"] == "Bearer mine"


def test_what_went_out_is_in_the_log_of_the_invocation(world: ProductWorld, mirror: str) -> None:
    world.ask("fetch", url=f"{mirror}/logged?key=s3cret")
    world.ask("fetch", url="https://undeclared.test/")
    environment = f"/apps/{world.app.app_id}/environments/development"

    def lines() -> list[str]:
        answer = world.demo.person("developer").api("GET", f"{environment}/logs")
        assert answer.status_code == 200, answer.text
        return [each["text"] for each in answer.json()["items"]]

    found: list[str] = []
    for _ in range(200):
        found = lines()
        if any("undeclared.test" in text for text in found):
            break
    assert any(text.startswith(f"fetch GET {mirror}/logged: 418") for text in found)
    assert any("refused" in text and "undeclared.test" in text for text in found)
    assert not any("s3cret" in text for text in found)


def test_megabytes_go_out_and_come_back(world: ProductWorld, mirror: str) -> None:
    large = "x" * (4 * 1024 * 1024)
    found = world.ask("fetch", method="POST", url=mirror, body=large)
    assert json.loads(found["body"])["body"] == large
