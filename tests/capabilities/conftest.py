"""A running demo with a fake product behind Jira, and an app that calls it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from product_world import (
    FUNCTIONS,
    PERMISSIONS,
    SCOPE,
    SOURCE,
    LateApp,
    ProductWorld,
    listening,
    load_example,
)

from app_world import deploy_app
from demo_world import demo_on


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductWorld]:
    """`app` has permissions; `plain` has none."""
    example = load_example()
    late = LateApp()
    folder = tmp_path_factory.mktemp("products") / "data"
    with (
        listening(late) as port,
        demo_on(folder, SALLYPORT_FETCH_PRIVATE="127.0.0.1,::1/128") as demo,
    ):
        upstream = f"http://localhost:{port}"
        late.app = example.fake_product(example.Tokens(demo.facts["public_url"], upstream))
        demo.operator.cli("operator", "products", "change", "jira", "--upstream", upstream + "/")
        routes = [
            {
                "key": f"{name}-it",
                "path": f"/{name}",
                "operation": "POST",
                "function": name,
                "scopes": [SCOPE],
            }
            for name in FUNCTIONS
        ]
        functions = [{"key": name, "handler": f"index.{name}"} for name in FUNCTIONS]
        app = deploy_app(demo, routes, functions, SOURCE, permissions=PERMISSIONS)
        plain = deploy_app(demo, routes, functions, SOURCE)
        yield ProductWorld(demo, app, plain, upstream)
