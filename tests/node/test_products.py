"""The whole way: stock packages, sandbox, platform, and the fake product that checks its token."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app_world import deploy_folder
from demo_world import Demo

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fake-product" / "fake_product.py"
SCOPE = "use:thing:custom"
SOURCE = """
import api, { route } from '@forge/api';

const failed = (error: any) => [error.name, error.status, error.message];

export const run = async () => {
  const myself = route`/rest/api/3/myself`;
  return { statusCode: 200, body: {
    app: await (await api.asApp().requestJira(myself)).json(),
    user: await (await api.asUser().requestJira(myself)).json(),
    stranger: await api.asUser('nobody').requestJira(myself).catch(failed),
    product: await api.asApp().requestConfluence(myself).catch(failed),
    outside: await fetch('https://undeclared.example/').catch(failed),
  } };
};
"""
MANIFEST: dict[str, Any] = {
    "app": {
        "id": "ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000",
        "runtime": {"name": "nodejs20.x"},
    },
    "permissions": {"scopes": {"read:jira-work": {"allowImpersonation": True}}},
    "modules": {
        "apiRoute": [
            {
                "key": "get-run",
                "path": "/run",
                "operation": "GET",
                "function": "run",
                "scopes": [SCOPE],
            }
        ],
        "function": [{"key": "run", "handler": "index.run"}],
    },
}


@pytest.fixture
def folder(packages: Path) -> Path:
    """The app, beside installed packages."""
    made = packages / "work" / "products"
    (made / "src").mkdir(parents=True, exist_ok=True)
    (made / "src" / "index.ts").write_text(SOURCE)
    (made / "manifest.yml").write_text(json.dumps(MANIFEST))
    (made / "custom-scopes.yaml").write_text(
        f"version: 1\nscopes:\n  {SCOPE}:\n    description: Use it.\n"
    )
    return made


@pytest.fixture
def upstream(own_demo: Demo) -> Iterator[str]:
    """The fake product, where Jira is for this demo."""
    spec = importlib.util.spec_from_file_location("fake_product", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://localhost:{listener.getsockname()[1]}"
        app = example.fake_product(example.Tokens(own_demo.facts["public_url"], url))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        own_demo.operator.cli("operator", "products", "change", "jira", "--upstream", url + "/")
        yield url
        server.should_exit = True
        thread.join(30)


def test_stock_calls_reach_the_product_as_who_they_say(
    own_demo: Demo, folder: Path, upstream: str
) -> None:
    app = deploy_folder(own_demo, folder, [SCOPE])
    answer = app.call("GET", "/run")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["app"]["accountType"] == "app"
    assert found["app"]["accountId"].endswith(app.app_id)
    member = own_demo.facts["accounts"]["member"]["account_id"]
    assert found["user"] == {"accountId": member, "accountType": "atlassian"}
    assert found["stranger"][1] == 403
    assert "IMPERSONATION_NOT_ALLOWED" in found["stranger"][2]
    assert "PRODUCT_NOT_ALLOWED" in found["product"][2]
    assert found["outside"] == [
        "REQUEST_EGRESS_ALLOWLIST_ERR",
        403,
        "URL not included in the external fetch backend permissions: "
        "https://undeclared.example/. Visit go.atlassian.com/forge-egress for more information.",
    ]
