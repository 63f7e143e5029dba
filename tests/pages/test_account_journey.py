"""An account takes back what it allowed: in the browser, on a running demo with real calls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from playwright.sync_api import Page, expect
from test_console_journeys import Visitor

from app_world import deploy_app
from demo_world import Demo

ROUTES = [
    {
        "key": "hello-route",
        "path": "/hello",
        "operation": "GET",
        "function": "hello",
        "scopes": ["read:hello:custom"],
    }
]
FUNCTIONS = [{"key": "hello", "handler": "index.hello"}]
SOURCE = "def hello(request):\n    return {'statusCode': 200, 'body': {'hello': 'there'}}\n"


T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """Run something with an event loop of its own; this thread's is the browser driver's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def test_an_account_takes_back_what_it_allowed(own_demo: Demo, page: Page) -> None:
    app = apart(lambda: deploy_app(own_demo, ROUTES, FUNCTIONS, SOURCE))
    assert app.call("GET", "/hello").status_code == 200
    member = Visitor(page, own_demo, "member")
    page.goto(f"{member.url}/account/grants")
    [grant] = [
        each
        for each in own_demo.person("member").api("GET", "/grants").json()["items"]
        if each["client_id"] == app.client_id
    ]
    section = page.locator(f"#grant-{grant['grant_id']}")
    expect(section).to_contain_text("unverified")
    section.get_by_role("button").click()
    expect(section).to_have_count(0)
    assert app.call("GET", "/hello").status_code == 401
