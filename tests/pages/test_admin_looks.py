"""Every page of the admin console as a person sees it, in use and empty; see `looking`."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browsing import House
from busy import Busy, keep_busy
from connected import Connected, connect
from looking import look_at


@pytest.fixture(scope="module")
def busy(running_house: House) -> Busy:
    return keep_busy(running_house, connect(running_house, "busy"))


@pytest.fixture(scope="module")
def quiet(running_house: House) -> Connected:
    return connect(running_house, "quiet")


def test_a_site_in_use(chromium: Browser, house: House, busy: Busy) -> None:
    site = f"/admin/sites/{busy.place.site_id}"
    integration = f"{site}/integrations/{busy.client_id}"
    pages = {
        "places": "/admin",
        "site": site,
        "app": busy.place.address,
        "turn-off": f"{busy.place.address}/turn-off",
        "approvals": f"{site}/approvals?show=all",
        "integrations": f"{site}/integrations",
        "integration": integration,
        "take-back": f"{integration}/take-back?environment={busy.environment_id}",
        "machines": f"{site}/service-accounts",
        "machine": f"{site}/service-accounts/{busy.machine}",
        "machine-new": f"{site}/service-accounts/new?app={busy.place.app_id}/development",
        "members": f"{site}/members",
        "usage": f"{site}/usage?app={busy.environment_id}",
        "decisions": f"{site}/decisions",
        "decision": f"{site}/decisions/{busy.refused}",
        "audit": f"{site}/audit",
    }
    look_at(chromium, house, busy.place.admin, pages, "admin")


def test_a_site_without_use(chromium: Browser, house: House, quiet: Connected) -> None:
    site = f"/admin/sites/{quiet.site_id}"
    pages = {
        "app": quiet.address,
        **{
            tab: f"{site}/{tab}"
            for tab in ("approvals", "integrations", "service-accounts", "usage", "decisions")
        },
    }
    look_at(chromium, house, quiet.admin, pages, "admin-quiet")
    look_at(chromium, house, quiet.member, {"app": quiet.address, "site": site}, "admin-member")


def test_the_platform(chromium: Browser, house: House, busy: Busy) -> None:
    house.add_account("olga@operator.example", "Olga Operator", operator=True)
    person = house.add_account(busy.place.member, "Member of busy")
    pages = {
        "platform": "/operator",
        "customers": "/operator/customers",
        "accounts": "/operator/accounts",
        "deactivate": f"/operator/accounts/{person.id}/deactivate",
    }
    look_at(chromium, house, "olga@operator.example", pages, "operator")


def test_nobody_belongs_here_yet(chromium: Browser, house: House) -> None:
    house.add_account("new@nowhere.example", "Newcomer")
    look_at(chromium, house, "new@nowhere.example", {"places": "/admin"}, "admin-nobody")
