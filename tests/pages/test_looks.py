"""Every page of the developer console as a person sees it; see `looking`."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browsing import House
from called import call, lines, refused_call
from connected import READ, Connected, connect
from looking import look_at
from sallyport.control import variables
from sallyport.control.integrations import LinkRequest, create_integration
from sallyport.control.signin import actor_for
from sallyport.model.directory import PLATFORM


@pytest.fixture(scope="module")
def gamma(running_house: House) -> Connected:
    return connect(running_house, "gamma")


def test_the_console_before_anything_is_there(chromium: Browser, house: House) -> None:
    house.add_account("new@gamma.example", "Newcomer")
    pages = {"apps": "/console", "integrations": "/console/integrations"}
    look_at(chromium, house, "new@gamma.example", pages, "console-empty")


def test_the_console_of_an_app_that_lives(
    chromium: Browser, house: House, gamma: Connected
) -> None:
    for key, secret in (("REGION", False), ("HR_API_KEY", True)):
        place = (gamma.app_id, "development", key, "eu-central-1")
        house.act(variables.set_variable(house.services, PLATFORM, *place, secret=secret))
    refused = refused_call(house, gamma)
    for status in (200, 200, 500, 200):
        made = call(house, gamma, status=status, invocation_id=refused.id)
    lines(
        house,
        made,
        ("INFO", "looking up employee 1234"),
        ("WARN", "the directory answered slowly:\n  took 2,210 ms, allowed are 2,000"),
        ("ERROR", "KeyError: 'department'"),
    )
    app = f"/console/apps/{gamma.app_id}"
    there = f"{app}/environments/development"
    pages = {
        "apps": "/console",
        "app": app,
        "environment": there,
        "environment-new": f"{app}/environments/staging",
        "versions": f"{there}/versions?old=1.1&new=1.1",
        "variables": f"{there}/variables",
        "variable-unset": f"{there}/variables/REGION/unset",
        "calls": f"{there}/calls",
        "call": f"{there}/calls/{made.id}",
        "call-refused": f"{there}/calls/{refused.id}",
        "logs": f"{there}/logs?level=INFO",
        "logs-production": f"{app}/environments/production/logs",
    }
    look_at(chromium, house, gamma.developer, pages, "console")


def test_the_console_of_an_integration(chromium: Browser, house: House, gamma: Connected) -> None:
    member = actor_for(house.add_account(gamma.member, "Member of gamma"), None)
    wanted = LinkRequest(
        gamma.site_id, gamma.app_id, "development", (READ,), ("read:forge-app:jira",)
    )
    view, _ = house.act(
        create_integration(
            house.services, member, "HR Sync", ["https://hr.example/callback"], wanted
        )
    )
    one = f"/console/integrations/{view.integration.client_id}"
    place = f"site={gamma.site_id}&app_id={gamma.app_id}&environment=development"
    pages = {
        "integrations": "/console/integrations",
        "integration-choose": "/console/integrations/new",
        "integration-new": f"/console/integrations/new?{place}",
        "integration-one": one,
        "integration-link": f"{one}/links?{place}",
        "integration-unlink": f"{one}/unlink?{place}",
        "integration-revoke": f"{one}/revoke",
        "integration-try": f"{one}/try?{place}",
    }
    look_at(chromium, house, gamma.member, pages, "console")
