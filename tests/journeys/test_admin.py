"""An admin's whole way in the browser: a request, the switch, a call, its figures, off again.

Planted bugs that this test was seen to fail on: a turned-off switch that is written and not told to
the gateway; an approval that leaves the link as it was.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from app_world import ECHO_FUNCTIONS, ECHO_ROUTES, ECHO_SOURCE, REDIRECT_URI, DeployedApp, redeploy
from browsing import chromium, page
from demo_world import Demo

__all__ = ["chromium", "page"]

READ, WRITE = "read:thing:custom", "write:thing:custom"
HOST = "journey.example"


@dataclass(frozen=True)
class Ground:
    """A site of its own with an app installed, whose admin has seen nothing yet."""

    demo: Demo
    site_id: str
    app_id: str
    name: str

    def sign_in(self, page: Page, role: str) -> None:
        account = self.demo.facts["accounts"][role]
        page.goto(self.demo.facts["public_url"] + "/login")
        page.get_by_label("Email").fill(account["email"])
        page.get_by_label("Password").fill(account["password"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Admin", exact=True)).to_be_visible()

    def ask(self) -> DeployedApp:
        """The developer links an integration to the app; it waits where approval is required."""
        made = ok(
            self.demo.person("developer").api(
                "POST",
                "/integrations",
                json={
                    "name": "Thing Sync",
                    "redirect_uris": [REDIRECT_URI],
                    "forge_compatible": True,
                    "link": {
                        "site": self.site_id,
                        "app_id": self.app_id,
                        "environment": "development",
                        "scopes": [READ, WRITE],
                        "product_scopes": ["read:forge-app:jira"],
                        "optional_scopes": [WRITE],
                        "note": "copies things at night",
                    },
                },
            )
        )
        (link,) = made["links"]
        return DeployedApp(
            self.demo,
            self.app_id,
            link["environment_id"],
            "",
            made["client_id"],
            made["client_secret"],
            link["authorization_url"],
        )


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def ground(demo: Demo) -> Ground:
    operator, developer, admin = demo.operator, demo.person("developer"), demo.person("admin")
    organization = ok(operator.api("POST", "/operator/organizations", json={"name": "Journey"}))
    site = {"organization_id": organization["id"], "host": HOST, "name": "J", "products": ["jira"]}
    site_id = ok(operator.api("POST", "/operator/sites", json=site))["site_id"]
    for role, part in (("admin", "admin"), ("developer", "member"), ("member", "member")):
        account = demo.facts["accounts"][role]["account_id"]
        ok(operator.api("PUT", f"/operator/sites/{HOST}/members/{account}", json={"role": part}))
    app = ok(developer.api("POST", "/apps", json={"name": "Things"}))
    environment = f"/apps/{app['app_id']}/environments/development"
    scopes = sorted({scope for route in ECHO_ROUTES for scope in route["scopes"]})
    declared = {"scopes": [{"name": name, "description": f"May {name}."} for name in scopes]}
    ok(developer.api("POST", f"{environment}/custom-scopes", json=declared))
    redeploy(developer, app, ECHO_ROUTES, ECHO_FUNCTIONS, ECHO_SOURCE)
    place = {"app_id": app["app_id"], "environment": "development", "site": site_id}
    ok(admin.api("POST", "/installations", json={**place, "product": "jira"}))
    return Ground(demo, site_id, app["app_id"], "Things (DEVELOPMENT)")


def test_from_a_request_to_the_last_call(ground: Ground, page: Page) -> None:
    site = f"{ground.demo.facts['public_url']}/admin/sites/{ground.site_id}"
    ground.sign_in(page, "admin")
    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_role("link", name=HOST).click()

    # What developers ask for waits, once the admin says so.
    page.get_by_role("link", name="Approvals").click()
    page.get_by_role("button", name="Require approval").click()
    expect(page.get_by_role("heading", name="New links wait for you")).to_be_visible()
    app = ground.ask()
    page.reload()
    request = page.get_by_role("region", name="Thing Sync asks")
    expect(request).to_contain_text("copies things at night")
    request.get_by_label(WRITE).uncheck()
    request.get_by_role("button", name="Approve what is ticked").click()
    expect(page.get_by_role("alert")).to_contain_text("reason")
    expect(request.get_by_label(WRITE)).not_to_be_checked()
    request.get_by_label("Reason").fill("Reading is enough.")
    request.get_by_role("button", name="Approve what is ticked").click()
    expect(page.get_by_role("status")).to_contain_text(f"read:forge-app:jira, {READ} approved")

    # The switch says what it opens, and opens it.
    base = f"{ground.demo.facts['public_url']}/svc/jira/{ground.site_id}/apps/"
    base += f"{app.app_id}_{app.environment_id}"
    page.get_by_role("link", name="Apps", exact=True).click()
    page.get_by_role("link", name=ground.name).click()
    expect(page.locator(".switch")).to_contain_text("Turning on opens 6 routes")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="REST APIs are on")).to_be_visible()
    expect(page.locator("#base-url-1")).to_have_text(base)
    scope = f"{READ} read:forge-app:jira"
    # The browser's driver holds this thread's event loop; consent is given from another.
    with ThreadPoolExecutor(1) as elsewhere:
        consented = elsewhere.submit(app.consent, "member", scope, ground.site_id).result()
    token = consented["access_token"]

    def call(method: str = "GET") -> httpx.Response:
        return ground.demo.call(method, "/open/x", base=base, token=token)

    assert call().status_code == 200
    assert call("POST").json()["reason"] == "scope_missing"

    # What was called is seen, and why something was not let in.
    page.get_by_role("link", name="Usage", exact=True).click()
    page.get_by_label("App").select_option(label=ground.name)
    page.get_by_role("button", name="Filter").click()
    for _ in range(60):
        if page.get_by_role("link", name="POST /open/**").count():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(page.locator(".figures")).to_contain_text("calls")
    expect(page.get_by_role("row", name="GET /open/** 1")).to_be_visible()
    page.get_by_role("link", name="scopes: The token lacks").click()
    page.get_by_role("link", name="Why POST /open/x").click()
    expect(page.locator(".gates li.shut")).to_have_text("scopes shut")
    expect(page.locator("main")).to_contain_text(f"The token lacks {WRITE}")

    # Off is off: it names what it breaks, and the next call is refused.
    page.goto(site)
    page.get_by_role("link", name=ground.name).click()
    page.get_by_role("link", name="Turn off").click()
    expect(page.locator(".confirm")).to_contain_text("2 calls came in the last day")
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("status")).to_contain_text("off, everywhere: the next call is refused")
    expect(page.locator(".switch")).to_contain_text("in force everywhere")
    refused = call()
    assert refused.status_code == 403
    assert refused.json()["reason"] == "rest_apis_off"
    expect(page.locator("#consents")).to_contain_text("Thing Sync")
