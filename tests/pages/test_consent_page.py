"""Consent in a real browser: what it says, Allow, Deny, keyboard, colours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import PASSWORD, PLAIN_HOST, House, sign_in
from sallyport.model.consent import SiteChoice

MARA = "mara@acme.example"


def ask(page: Page, house: House) -> None:
    house.add_account(MARA, "Mara Lind")
    sign_in(page, house, MARA)
    page.goto(f"{house.url}/authorize?client_id=c1")


def test_it_says_who_asks_for_what_on_which_site_and_as_whom(house: House, page: Page) -> None:
    ask(page, house)
    expect(page).to_have_title("Allow \u2068HR Sync\u2069? · Sallyport")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "HR Sync wants to call Employee Directory for you"
    )
    facts = page.locator("dl")
    for text in (
        "acme.example",
        "Mara Lind, mara@acme.example",
        "Dana Brook unverified",
        "development",
        house.client_url.removeprefix("http://"),
    ):
        expect(facts).to_contain_text(text)
    scopes = page.locator(".scopes > li")
    expect(scopes).to_have_count(4)
    expect(scopes.nth(0)).to_contain_text("Read employee info")
    expect(scopes.nth(0)).to_contain_text("read:employee:custom")
    expect(scopes.nth(0)).to_contain_text("Name, date of joining, department.")
    expect(scopes.nth(0)).to_contain_text("/employees/{id}")
    expect(scopes.nth(2)).to_contain_text("Reach apps on Jira")
    expect(scopes.nth(3)).to_contain_text("Stay connected")


def test_a_wider_request_shows_what_is_new_and_folds_the_rest(house: House, page: Page) -> None:
    first, *rest = house.question.scopes
    house.question = replace(house.question, scopes=tuple(rest), already=(first,))
    ask(page, house)
    expect(page.get_by_role("heading", level=2)).to_contain_text("can also")
    expect(page.get_by_text("Read employee info")).to_be_hidden()
    page.get_by_text("You allowed 1 more before").click()
    expect(page.get_by_text("Read employee info")).to_be_visible()


def test_optional_scopes_can_be_left_out(house: House, page: Page) -> None:
    read, write, jira = house.question.scopes
    optional = (replace(write, optional=True), replace(jira, optional=True, picked=False))
    house.question = replace(house.question, scopes=(read, *optional))
    ask(page, house)
    expect(page.get_by_role("group", name="You choose whether it can also")).to_be_visible()
    expect(page.get_by_label("Edit employee info")).to_be_checked()
    expect(page.get_by_label("Reach apps on Jira")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Read employee info")).to_have_count(0)
    page.get_by_label("Edit employee info").uncheck()
    page.get_by_label("Reach apps on Jira").check()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{house.client_url}/callback*")
    assert house.answers[0]["kept"] == jira.name


@pytest.mark.parametrize(("button", "outcome"), [("Allow", "code=c"), ("Deny", "error=")])
def test_the_answer_reaches_the_client(house: House, page: Page, button: str, outcome: str) -> None:
    """The policy of the page must let the browser go on to the client after the form."""
    ask(page, house)
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url(f"{house.client_url}/callback*")
    assert outcome in page.url
    assert house.answers[0]["decision"] == button.lower()
    assert house.answers[0]["site"] == house.question.sites[0].site_id


def test_the_policy_is_what_lets_it_through(house: House, chromium: Browser) -> None:
    """With another client's address in the policy, the same answer goes nowhere."""
    house.question = replace(house.question, redirect_origin="http://localhost:1")
    context = chromium.new_context()
    page = context.new_page()
    ask(page, house)
    with page.expect_console_message(lambda message: "form-action" in message.text):
        page.get_by_role("button", name="Allow").click(no_wait_after=True)
    assert "/callback" not in page.url
    context.close()


def test_the_site_is_chosen_where_there_are_several(house: House, page: Page) -> None:
    other = SiteChoice("22222222-2222-4222-8222-222222222222", "beta.example", "Beta")
    house.question = replace(house.question, sites=(*house.question.sites, other))
    ask(page, house)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert house.answers == [], "no site is chosen for the person"
    page.get_by_label("beta.example").check()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{house.client_url}/callback*")
    assert house.answers[0]["site"] == other.site_id


def test_deny_needs_no_site(house: House, page: Page) -> None:
    other = SiteChoice("22222222-2222-4222-8222-222222222222", "beta.example", "Beta")
    house.question = replace(house.question, sites=(*house.question.sites, other))
    ask(page, house)
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url(f"{house.client_url}/callback*")
    assert "site" not in house.answers[0]


def test_the_keyboard_alone_will_do(house: House, page: Page) -> None:
    house.add_account(MARA, "Mara Lind")
    page.goto(f"{house.url}/authorize?client_id=c1")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(MARA)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("HR Sync")
    allow = page.get_by_role("button", name="Allow")
    for _ in range(10):
        page.keyboard.press("Tab")
        if allow.evaluate("element => element === document.activeElement"):
            break
    expect(allow).to_be_focused()
    outline = allow.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid", "the focus must be seen"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{house.client_url}/callback*")


def test_another_account_can_be_used_and_the_question_stays(house: House, page: Page) -> None:
    house.add_account("dana@acme.example", "Dana Brook")
    ask(page, house)
    page.get_by_role("button", name="Use another account").click()
    page.get_by_label("Email").fill("dana@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{house.url}/authorize?client_id=c1")


def test_a_request_that_stops_is_told_on_a_page_that_leads_on(house: House, page: Page) -> None:
    house.add_account("dana@acme.example", "Dana Brook")
    ask(page, house)
    page.goto(f"{house.url}/stopped?client_id=c1")
    expect(page.get_by_role("heading", name="None of your sites")).to_be_visible()
    page.get_by_role("button", name="Use another account").click()
    page.get_by_label("Email").fill("dana@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{house.url}/stopped?client_id=c1")
    expect(page.locator("main")).to_contain_text("Not Dana Brook?")


def test_a_request_that_must_wait_says_for_how_long(house: House, page: Page) -> None:
    house.problem = replace(
        house.problem, fix="Wait 7 seconds, then load this page again.", status=429, retry_after=7
    )
    house.add_account(MARA, "Mara Lind")
    sign_in(page, house, MARA)
    answer = page.goto(f"{house.url}/stopped?client_id=c1")
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    expect(page.locator("main")).to_contain_text("Wait 7 seconds, then load this page again.")


def test_it_works_where_browsers_send_no_fetch_metadata(house: House, page: Page) -> None:
    """A host on plain http that is not localhost: `Origin` alone has to vouch for the form."""
    house.add_account(MARA, "Mara Lind")
    url = house.url.replace("localhost", PLAIN_HOST)
    page.goto(f"{url}/authorize?client_id=c1")
    page.get_by_label("Email").fill(MARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{house.client_url}/callback*")
    headers = sent.value.all_headers()
    assert "sec-fetch-site" not in headers
    assert headers["origin"] == url


def contrast(page: Page, selector: str) -> float:
    """Contrast of an element's text with what is behind it (WCAG 2.2, 1.4.3)."""
    return float(
        page.locator(selector).first.evaluate(
            """element => {
              const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true})
              const channels = colour => {
                canvas.fillStyle = colour
                canvas.fillRect(0, 0, 1, 1)
                return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
              }
              const light = colour => channels(colour).map(value => {
                const part = value / 255
                return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
              }).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0)
              let behind = element
              while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
                behind = behind.parentElement
              }
              const pair = [
                light(getComputedStyle(element).color),
                light(getComputedStyle(behind).backgroundColor),
              ].sort((a, b) => b - a)
              return (pair[0] + 0.05) / (pair[1] + 0.05)
            }"""
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(house: House, chromium: Browser, scheme: str) -> None:
    house.add_account(MARA, "Mara Lind")
    context = chromium.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    sign_in(page, house, MARA)
    page.goto(f"{house.url}/authorize?client_id=c1")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 28)" if scheme == "dark" else "rgb(251, 250, 246)")
    for selector in ("h1", "dt", "dd", ".tag.wait", ".scopes p", ".verb", ".primary", ".small a"):
        assert contrast(page, selector) >= 4.5, selector
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_narrow_and_wide(house: House, chromium: Browser, width: int) -> None:
    house.add_account(MARA, "Mara Lind")
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    sign_in(page, house, MARA)
    for path in ("/authorize?client_id=c1", "/account", "/console", "/admin"):
        page.goto(house.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()
