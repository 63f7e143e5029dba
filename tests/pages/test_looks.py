"""Every page of the frame as a person sees it; see `looking`."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browsing import House
from connected import Connected, connect
from looking import look_at


@pytest.fixture(scope="module")
def gamma(running_house: House) -> Connected:
    return connect(running_house, "gamma")


def test_the_console_before_anything_is_there(chromium: Browser, house: House) -> None:
    house.add_account("new@gamma.example", "Newcomer")
    pages = {"apps": "/console", "integrations": "/console/integrations"}
    look_at(chromium, house, "new@gamma.example", pages, "console-empty")


def test_the_console(chromium: Browser, house: House, gamma: Connected) -> None:
    app = f"/console/apps/{gamma.app_id}"
    pages = {
        "apps": "/console",
        "app": app,
        "environment": f"{app}/environments/development",
        "integrations": "/console/integrations",
    }
    look_at(chromium, house, gamma.developer, pages, "console")
