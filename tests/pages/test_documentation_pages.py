"""`/docs/apps/<app-id>` as a person sees it, and as files that need no platform.

Planted bugs that these tests were seen to fail on: notes marked safe in the template; the exported
page without its policy.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import House, sign_in
from connected import READ, Connected, connect
from looking import look_at, look_at_opened
from sallyport.control.documentation import app_documentation
from sallyport.control.signin import actor_for
from sallyport.web.documentation import exported

HOSTILE = "</code><img src=x onerror=alert(1)>\N{RIGHT-TO-LEFT OVERRIDE}"
NOTES = {
    "summary": f"Read {HOSTILE}",
    "description": f"One line.\nAnother {HOSTILE}",
    "path": {"id": {"description": HOSTILE, "example": "'; rm -rf ~ #"}},
    "query": {"since": {"description": "A day", "required": True, "example": HOSTILE}},
    "request": {"description": HOSTILE, "schema": {"type": "object"}, "example": {"a": HOSTILE}},
    "responses": {"200": {"description": HOSTILE, "example": [HOSTILE]}},
}


@pytest.fixture(scope="module")
def epsilon(running_house: House) -> Connected:
    return connect(running_house, "epsilon", notes=NOTES)


def test_how_it_looks(chromium: Browser, house: House, epsilon: Connected) -> None:
    plain = connect(house, "zeta")
    pages = {"noted": f"/docs/apps/{epsilon.app_id}"}
    look_at(chromium, house, epsilon.member, pages, "docs")
    look_at(chromium, house, plain.developer, {"plain": f"/docs/apps/{plain.app_id}"}, "docs")


def test_a_route_is_told_whole(page: Page, house: House, epsilon: Connected) -> None:
    sign_in(page, house, epsilon.member)
    page.goto(f"{house.url}/docs/apps/{epsilon.app_id}")
    call = page.locator("#route-route-1")
    expect(call.get_by_role("heading", level=2)).to_contain_text("/employees/{id}")
    expect(call).to_contain_text(READ)
    expect(call).to_contain_text("read:forge-app:jira")
    expect(call).to_contain_text("onerror=alert(1)")
    expect(call.get_by_role("row", name="since required")).to_contain_text("query")
    expect(call.locator("#sample-route-1-1")).to_contain_text(f"/svc/jira/{epsilon.site_id}/apps/")
    call.get_by_text("JavaScript", exact=True).click()
    expect(call.locator("#sample-route-1-3")).to_contain_text("process.env.ACCESS_TOKEN")
    page.get_by_role("link", name="/getEmployeeName").click()
    assert page.url.endswith("#route-route-0")
    expect(page.locator("main img")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="OpenAPI 3.1").click()
    assert download.value.suggested_filename == "openapi.json"


def test_the_exported_page_stands_alone(
    chromium: Browser, house: House, epsilon: Connected, tmp_path: Path
) -> None:
    services = house.services
    developer = actor_for(house.add_account(epsilon.developer, "Developer of epsilon"), None)
    view = house.act(
        app_documentation(services, developer, epsilon.app_id, "development", anywhere=True)
    )
    for name, text in exported(services, view).items():
        (tmp_path / name).write_text(text)
    page = chromium.new_context().new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.locator("#where")).to_contain_text("{cloud-id}")
    assert epsilon.site_id not in page.content()
    expect(page.locator("#sample-route-0-3")).to_be_visible()
    paper = "getComputedStyle(document.querySelector('.sheet')).borderTopLeftRadius"
    assert page.evaluate(paper) == "12px", "the style sheet is not applied"
    # Whatever else went wrong, the page loads and runs nothing.
    policy = page.locator("meta[http-equiv='Content-Security-Policy']")
    expect(policy).to_have_attribute("content", re.compile("^default-src 'none'; style-src 'self'"))
    assert errors == []
    # axe asks for the style sheet by a request, which the policy of this page refuses.
    assert look_at_opened(page, "docs-exported") == []
    page.context.close()


def test_who_may_not_read_it(house: House, epsilon: Connected) -> None:
    other = connect(house, "eta")
    for tail in ("", "/openapi.json", "?place=epsilon.example"):
        with house.signed_in(other.member) as client:
            assert client.get(f"/docs/apps/{epsilon.app_id}{tail}").status_code == 404
    with house.signed_in(epsilon.member) as client:
        answer = client.get(f"/docs/apps/{epsilon.app_id}?place=eta.example")
        assert answer.status_code == 404
        assert "eta.example" not in answer.text.replace("place=eta.example", "")
        known = client.get(f"/docs/apps/{epsilon.app_id}?place=epsilon.example/jira")
        assert known.status_code == httpx.codes.OK
