"""Names that attack: whatever somebody calls an app, a scope or themselves, it is text.

Planted bugs that these tests were seen to fail on: no escaping at all, or none in names, in long
texts that may break, or in one place: a field of consent, the way on from sign-in, a setup token,
who is signed in, a scope's title, where one is; names whose writing direction runs on.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page

from browsing import House, sign_in
from busy import keep_busy
from connected import READ, connect
from sallyport.control.integrations import LinkRequest, create_integration
from sallyport.control.signin import actor_for
from sallyport.model.consent import RouteLine, ScopeLine, SiteChoice

FOREIGN = 'script:not([src^="/static/"]), img, [onload], [onerror]'
"""What our own pages never hold; they load the scripts of this platform alone."""

NAMES = [
    "<svg onload=alert(1)>",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}{% raw %}",
    "</title><script>alert(1)</script>",
    "\u202emoc.evil\u202c safe",
    "a\u200bb\ufeffc",
    "A" * 3000,
]


@pytest.mark.parametrize("text", NAMES, ids=lambda text: ascii(text[:20]))
def test_names_in_consent_are_text(house: House, page: Page, text: str) -> None:
    email = f"consent-{NAMES.index(text)}@acme.example"
    house.add_account(email, text)
    site = SiteChoice(house.question.sites[0].site_id, "acme.example", text)
    house.question = replace(
        house.question,
        integration_name=text,
        integration_owner=text,
        app_name=text,
        account_name=text,
        sites=(site, replace(site, site_id="2")),
        scopes=(ScopeLine(text, text, text, (RouteLine("GET", f"/{text}"),)),),
        fields=(("state", text), ("client_id", "c1")),
    )
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    sign_in(page, house, email)
    page.goto(f"{house.url}/authorize?x=1")
    assert page.locator("script, img, main svg + svg, [onload], [onerror]").count() == 0
    shown = page.locator("h1 bdi").first.text_content()
    assert shown == text
    assert page.locator("input[name=state]").input_value() == text
    overflow = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(overflow), "a long name must wrap"
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Allow").click(no_wait_after=True)
    page.wait_for_url(f"{house.client_url}/callback*")
    assert house.answers[0]["state"] == text
    assert dialogs == []


@pytest.mark.parametrize("text", NAMES[:7], ids=lambda text: ascii(text[:20]))
def test_names_in_our_own_pages_are_text(house: House, page: Page, text: str) -> None:
    email = f"own-{NAMES.index(text)}@acme.example"
    house.add_account(email, text, operator=True)
    sign_in(page, house, email)
    for path in ("/account", "/console", "/admin"):
        page.goto(house.url + path)
        assert page.locator(FOREIGN).count() == 0
        assert page.locator(".who bdi").text_content() == text


@pytest.mark.parametrize("text", NAMES[:6], ids=lambda text: ascii(text[:20]))
def test_names_in_the_consoles_are_text(house: House, page: Page, text: str) -> None:
    """An app, a site, a scope and an integration, each called by an attack."""
    place = connect(
        house,
        f"xss-{NAMES.index(text)}",
        app_name=text,
        site_name=text,
        display_name=text,
        description=text,
    )
    developer = house.add_account(place.developer, f"Developer of xss-{NAMES.index(text)}")
    wanted = LinkRequest(place.site_id, place.app_id, "development", (READ,), ())
    callbacks = ["http://localhost:9876/?a=%22%3E%3Cscript%3E"]
    made, _ = house.act(
        create_integration(house.services, actor_for(developer, None), text, callbacks, wanted)
    )
    query = f"site={place.site_id}&app_id={place.app_id}&environment=development"
    pages = {
        place.admin: ["/admin", f"/admin/sites/{place.site_id}", place.address],
        place.developer: [
            "/console",
            f"/console/apps/{place.app_id}",
            f"/console/apps/{place.app_id}/environments/development",
            "/console/integrations",
            "/console/integrations/new",
            f"/console/integrations/new?{query}",
            f"/console/integrations/{made.integration.client_id}",
            f"/console/integrations/{made.integration.client_id}/links?{query}",
        ],
    }
    for email, paths in pages.items():
        page.context.clear_cookies()
        sign_in(page, house, email)
        for path in paths:
            page.goto(house.url + path)
            assert page.locator(FOREIGN).count() == 0, path
            assert text in (page.locator("main").text_content() or ""), path


def test_names_in_the_admin_console_are_text(house: House, page: Page) -> None:
    """Everything that somebody else gives a name to on a site in use, called by every attack."""
    text = "</title></script>'\"><img src=x onerror=alert(1)><svg onload=alert(1)>{{7*7}}"
    place = connect(house, "xss-admin", app_name=text, site_name=text, display_name=text)
    busy = keep_busy(house, place, name=text, note=text)
    site = f"/admin/sites/{place.site_id}"
    integration = f"{site}/integrations/{busy.client_id}"
    sign_in(page, house, place.admin)
    for path in (
        "/admin",
        site,
        place.address,
        f"{place.address}/turn-off",
        f"{site}/approvals",
        f"{site}/integrations",
        integration,
        f"{integration}/end",
        f"{integration}/take-back?environment={busy.environment_id}",
        f"{site}/grants/{busy.grant_id}/end",
        f"{site}/service-accounts",
        f"{site}/service-accounts/{busy.machine}",
        f"{site}/usage",
        f"{site}/decisions",
        f"{site}/decisions/{busy.refused}",
        f"{site}/audit",
    ):
        page.goto(house.url + path)
        assert page.locator(FOREIGN).count() == 0, path
        assert text in (page.locator("main").text_content() or ""), path


def test_what_came_with_the_address_is_text(house: House, page: Page) -> None:
    for path in (
        "/login?next=/%22%3E%3Csvg/onload=alert(1)%3E",
        "/setup?token=%22%3E%3Csvg%20onload=alert(1)%3E",
        "/%3Csvg%20onload=alert(1)%3E",
    ):
        page.goto(house.url + path)
        assert page.locator("[onload]").count() == 0
