"""`/docs/apps/<app-id>`: an app's API as its callers read it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from demo_world import Demo
from sallyport.cli.browser import Browser


def read(demo: Demo, role: str, tail: str = "") -> httpx.Response:
    account = demo.facts["accounts"][role]

    async def visit() -> httpx.Response:
        async with Browser(demo.facts["public_url"]) as browser:
            await browser.sign_in(account["email"], account["password"])
            return await browser.open(f"/docs/apps/{demo.facts['app_id']}{tail}")

    return asyncio.run(visit())


def test_builders_and_members_read_routes_scopes_and_base_urls(demo: Demo) -> None:
    for role in ("developer", "member", "admin"):
        page = read(demo, role)
        assert page.status_code == 200, role
        for text in ("/employees/<wbr>{id}", "/getEmployeeName", "read:", demo.facts["base_url"]):
            assert text.replace("<wbr>", "") in page.text.replace("<wbr>", ""), text


def test_strangers_read_nothing(demo: Demo) -> None:
    for tail in ("", "/openapi.json"):
        page = read(demo, "outsider", tail)
        assert page.status_code == 404
        assert "getEmployeeName" not in page.text


def test_the_openapi_document_describes_every_route_and_its_scopes(demo: Demo) -> None:
    made: dict[str, Any] = read(demo, "member", "/openapi.json?environment=development").json()
    assert made["openapi"] == "3.1.0"
    assert made["servers"] == [{"url": demo.facts["base_url"]}]
    assert "/employees/{id}" in made["paths"]
    security = made["paths"]["/editEmployeeName"]["post"]["security"]
    assert set(security[0]["oauth2"]) == {"write:employee:custom", "read:forge-app:jira"}


def test_an_environment_that_is_not_deployed_is_not_found(demo: Demo) -> None:
    assert read(demo, "developer", "?environment=production").status_code == 404
