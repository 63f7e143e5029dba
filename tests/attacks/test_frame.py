"""Clickjacking: no page of ours can be put into a frame, cached, or leaked by a referrer.

Planted bugs that these tests were seen to fail on: frames of our own origin; inline styles; a form
that may go anywhere, or consent's nowhere; any of the other headers, or `base-uri`, left out;
refusals without any of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from browsing import House

PAGES = [
    "/login",
    "/setup?token=x",
    "/account",
    "/console",
    "/authorize?x=1",
    "/stopped",
    "/nowhere",
    "/broken",
]
HTML = {"Accept": "text/html"}


@pytest.fixture
def mara(house: House) -> Iterator[httpx.Client]:
    house.add_account("mara@acme.example", "Mara Lind")
    with house.signed_in("mara@acme.example") as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_every_page_refuses_to_be_framed(house: House, mara: httpx.Client, path: str) -> None:
    with house.http() as stranger:
        answers = [
            client.get(path, headers=HTML, follow_redirects=True) for client in (mara, stranger)
        ]
    for headers in (answer.headers for answer in answers):
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_only_consent_lets_a_form_go_on_and_only_to_its_client(
    house: House, mara: httpx.Client
) -> None:
    consent = mara.get("/authorize?x=1").headers["content-security-policy"]
    account = mara.get("/account").headers["content-security-policy"]
    assert f"form-action 'self' {house.client_url};" in consent
    assert "form-action 'self';" in account


def test_a_frame_in_a_real_browser_stays_empty(house: House, chromium: Browser) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(house.client_url)
    page.set_content(f"<iframe src='{house.url}/login'></iframe>")
    frame = page.frame_locator("iframe")
    page.wait_for_function("document.querySelector('iframe').contentDocument === null")
    assert frame.get_by_label("Password").count() == 0
    context.close()
