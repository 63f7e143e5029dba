"""An admin from a request to approval, a call, and the switch off; an account that takes back what
it allowed. In the browser, on a running demo, where calls are real."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from playwright.sync_api import Page, expect
from test_console_journeys import Visitor

from app_world import DeployedApp, deploy_app
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


def linked_anew(app: DeployedApp) -> str:
    """Another integration of the app, by its developer; its client id."""
    facts = app.demo.facts
    made = app.demo.person("developer").api(
        "POST",
        "/integrations",
        json={
            "name": "Payroll",
            "redirect_uris": [facts["redirect_uri"]],
            "forge_compatible": True,
            "link": {
                "site": facts["cloud_id"],
                "app_id": app.app_id,
                "environment": "development",
                "scopes": ["read:hello:custom"],
                "product_scopes": ["read:forge-app:jira"],
                "note": "For the nightly run",
            },
        },
    )
    assert made.status_code == 201, made.text
    return str(made.json()["client_id"])


def test_an_admin_goes_from_a_request_to_the_switch(page: Page, own_demo: Demo) -> None:
    demo = own_demo
    app = apart(lambda: deploy_app(demo, ROUTES, FUNCTIONS, SOURCE))
    assert app.call("GET", "/hello").status_code == 200
    site = f"{demo.facts['public_url']}/admin/sites/{demo.facts['cloud_id']}"
    admin = Visitor(page, demo, "admin")

    page.goto(f"{site}/approvals")
    admin.press("Require approval")
    admin.heading("New links wait for you")
    admin.heading("Nothing waits for you")
    client_id = linked_anew(app)
    page.reload()
    asks = page.get_by_role("region", name="Payroll")
    expect(asks).to_contain_text("For the nightly run")
    asks.get_by_label("read:hello:custom").uncheck()
    asks.get_by_role("button", name="Approve what is ticked").click()
    # A refusal says why; what was ticked is kept.
    expect(asks.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    expect(asks.get_by_label("read:hello:custom")).not_to_be_checked()
    asks.get_by_label("read:hello:custom").check()
    asks.get_by_role("button", name="Approve what is ticked").click()
    expect(page.get_by_role("status")).to_contain_text("approved")
    developer = demo.person("developer")
    link = developer.api("GET", f"/integrations/{client_id}").json()["links"][0]
    assert link["scopes"] == ["read:hello:custom"]

    page.goto(f"{site}/apps/{app.app_id}/environments/development")
    admin.heading("REST APIs are on")
    admin.follow("Turn off")
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"\d+ calls?"))
    page.get_by_label("Reason").fill("The audit of 2026")
    admin.press("Turn off")
    expect(page.get_by_role("status")).to_contain_text("off")
    refused = app.call("GET", "/hello")
    assert (refused.status_code, refused.json()["reason"]) == (403, "rest_apis_off")

    page.goto(f"{site}/decisions/{refused.json()['decision_id']}")
    expect(page.locator(".gates li.shut")).to_contain_text("switch")
    page.goto(f"{site}/audit")
    expect(page.get_by_role("main")).to_contain_text("The audit of 2026")

    page.goto(f"{site}/apps/{app.app_id}/environments/development")
    admin.press("Turn on")
    assert app.call("GET", "/hello").status_code == 200


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
