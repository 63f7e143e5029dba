"""An app that calls products and other servers, and servers for it to call."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from app_world import DeployedApp
from demo_world import Demo

ROOT = Path(__file__).resolve().parents[2]

SOURCE = """
import json
from sallyport_app import fetch, product

def ask(request, context):
    asked = request.json()
    try:
        if asked["by"] == "fetch":
            answer = fetch.request(**asked["request"])
        else:
            caller = product.as_app() if asked["by"] == "app" else product.as_user(*asked["ids"])
            answer = caller.request(**asked["request"])
    except product.RequestRefused as refused:
        return reply({"code": refused.code, "message": refused.message, "status": refused.status})
    return reply({"status": answer.status, "headers": answer.headers, "body": answer.text})

async def aask(request, context):
    import asyncio
    answers = await asyncio.gather(
        *(product.as_user().arequest("GET", "/rest/api/3/myself") for _ in range(10)),
        *(product.as_app().arequest("GET", "/rest/api/3/myself") for _ in range(10)),
    )
    return reply([answer.json()["accountType"] for answer in answers])

def context(request, context):
    facts = {key: context[key] for key in context}
    return reply({"facts": facts, "remaining": context.remaining_ms(), "deadline": context.deadline,
                  "version": context.app_version, "module": context.module_key,
                  "ari": context.installation_ari, "permissions": context.permissions})

def reply(body):
    return {"statusCode": 200, "body": json.dumps(body)}
"""
SCOPE = "use:thing:custom"
FUNCTIONS = ("ask", "aask", "context")
PERMISSIONS: dict[str, Any] = {
    "scopes": {
        "read:jira-work": {"allowImpersonation": True},
        "write:jira-work": {"allowImpersonation": False},
    },
    "external": {"fetch": {"backend": ["http://localhost", "*.example.com"]}},
}


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """The app on a port of this machine, for as long as the block."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


class LateApp:
    """An ASGI application that is known only once its port is."""

    app: ASGIApp

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class ProductWorld:
    demo: Demo
    app: DeployedApp
    plain: DeployedApp
    upstream: str

    def ask(
        self, by: str, *ids: str, app: DeployedApp | None = None, **request: Any
    ) -> dict[str, Any]:
        """What a request of the app's came to. `by`: app, user, fetch."""
        asked = {"by": by, "ids": ids, "request": {"method": "GET", **request}}
        answer = (app or self.app).call("POST", "/ask", json=asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def load_example() -> Any:
    """The module of examples/fake-product."""
    path = ROOT / "examples" / "fake-product" / "fake_product.py"
    spec = importlib.util.spec_from_file_location("fake_product", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
