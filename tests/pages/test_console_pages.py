"""The developer console: apps, environments, integrations."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from browsing import House, form_token, sign_in
from connected import READ, WRITE, Connected, connect


@pytest.fixture(scope="module")
def beta(running_house: House) -> Connected:
    return connect(running_house, "beta", app_name="People")


def test_a_developer_registers_an_app(house: House, page: Page) -> None:
    house.add_account("dana@beta.example", "Dana Brook")
    sign_in(page, house, "dana@beta.example")
    page.get_by_label("Name").fill("Time Sheets")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Time Sheets")).to_be_visible()
    for environment in ("development", "staging", "production"):
        expect(page.get_by_role("link", name=environment)).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Time Sheets is registered.")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    page.get_by_label("Name").fill("No Such Name")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("Invalid environment name")
    field = page.get_by_label("Name")
    expect(field).to_have_value("No Such Name")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Use 1 to 30 lower-case letters"))
    page.get_by_role("link", name="staging").click()
    expect(page.get_by_text("sallyport deploy -e staging")).to_be_visible()


def test_a_name_that_is_none_is_told_beside_the_form(house: House) -> None:
    house.add_account("dana@beta.example", "Dana Brook")
    with house.signed_in("dana@beta.example") as dana:
        token = form_token(dana.get("/console"), "/console/apps")
        answer = dana.post("/console/apps", data={"name": "a\u202eb", "form_token": token})
    assert answer.status_code == 422
    assert "control or invisible character" in answer.text


def test_an_environment_shows_what_it_opens_and_where_it_runs(
    house: House, page: Page, beta: Connected
) -> None:
    sign_in(page, house, beta.developer)
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="development").click()
    main = page.locator("main")
    expect(main).to_contain_text("Version 1.1 is the newest.")
    read = page.get_by_role("row").filter(has_text=READ)
    expect(read).to_contain_text("Read employee info")
    expect(read).to_contain_text("/employees/{id}")
    expect(page.get_by_role("row").filter(has_text="beta.example")).to_contain_text("REST APIs off")
    with house.signed_in(beta.member) as member:
        assert member.get(urlsplit(page.url).path).status_code == 404


def test_an_integration_from_nothing_to_a_secret(house: House, page: Page, beta: Connected) -> None:
    """A member of the site makes one; the page has all that the program needs."""
    sign_in(page, house, beta.member)
    page.get_by_role("link", name="OAuth 2.0 integrations").click()
    page.get_by_role("link", name="Create an integration").click()
    page.get_by_role("link", name="Choose People, development, on beta.example").click()
    page.get_by_role("textbox", name="Name").fill("HR Sync")
    page.get_by_label("Callback URLs").fill("http://localhost:9876/callback")
    page.get_by_label("Read employee info").check()
    expect(page.get_by_label("read:forge-app:jira")).to_be_checked()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="HR Sync", level=1)).to_be_visible()
    secret = page.locator("#client-secret").text_content()
    assert secret is not None
    assert secret.startswith("spcs_")
    client_id = page.locator("#client-id").text_content()
    address = page.locator(".authorization-url").text_content() or ""
    sent = parse_qs(urlsplit(address).query)
    assert sent["client_id"] == [client_id]
    assert sent["redirect_uri"] == ["http://localhost:9876/callback"]
    assert set(sent["scope"][0].split()) == {READ, "read:forge-app:jira", "offline_access"}
    expect(page.locator(".base-url")).to_have_count(2)
    page.goto(f"{house.url}/console/integrations/{client_id}")
    expect(page.locator("#client-secret")).to_have_count(0)
    page.get_by_role("link", name="Change scopes").click()
    expect(page.get_by_label("Read employee info")).to_be_checked()
    page.get_by_label(WRITE).check()
    page.locator(f"input[name=optional_scope][value='{WRITE}']").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".chip", has_text=WRITE)).to_contain_text("optional")
    page.get_by_role("link", name="Change scopes").click()
    expect(page.locator("input[name=optional_scope]:checked")).to_have_count(1)
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Callback URLs").fill("javascript:alert(1)")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Callback URLs")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Callback URLs")).to_have_value("javascript:alert(1)")
    page.get_by_role("button", name="Make a new secret").click()
    again = page.locator("#client-secret").text_content()
    assert again is not None
    assert again != secret
    page.get_by_role("link", name="End the previous secret").click()
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_role("button", name="Make a new secret")).to_be_visible()
    page.get_by_role("link", name="Unlink").click()
    expect(page.locator("main")).to_contain_text("0 calls of it came in the last day")
    page.get_by_role("button", name="Unlink it").click()
    expect(page.get_by_text("Linked to nothing")).to_be_visible()
    page.get_by_role("link", name="Revoke HR Sync").click()
    page.get_by_role("button", name="Revoke HR Sync").click()
    expect(page.get_by_role("status")).to_have_text("HR Sync has ended.")
    expect(page.get_by_role("link", name="HR Sync")).to_have_count(0)


def test_what_was_typed_stays_when_it_is_refused(house: House, page: Page, beta: Connected) -> None:
    sign_in(page, house, beta.member)
    page.goto(f"{house.url}/console/integrations/new")
    page.get_by_role("link", name="Choose People").click()
    page.get_by_role("textbox", name="Name").fill("No scopes")
    page.get_by_label("Callback URLs").fill("http://localhost:1/cb")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one custom scope")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("No scopes")
    expect(page.get_by_label("Callback URLs")).to_have_value("http://localhost:1/cb")


def test_a_stranger_sees_no_integration(house: House, beta: Connected) -> None:
    house.add_account("stranger@elsewhere.example", "Stranger")
    with house.signed_in("stranger@elsewhere.example") as stranger:
        query = {"site": beta.site_id, "app_id": beta.app_id, "environment": "development"}
        answer = stranger.get("/console/integrations/new", params=query)
        assert answer.status_code == 404
        assert "beta.example" not in stranger.get("/console/integrations/new").text


def test_an_api_token_is_shown_once_and_revoked(house: House, page: Page, beta: Connected) -> None:
    sign_in(page, house, beta.member)
    page.goto(f"{house.url}/account")
    page.get_by_label("Label").fill("laptop")
    page.get_by_role("button", name="Make an API token").click()
    token = page.locator("#api-token").text_content()
    assert token is not None
    assert token.startswith("spat_")
    page.goto(f"{house.url}/account")
    expect(page.locator("#api-token")).to_have_count(0)
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.get_by_role("button", name="Revoke laptop")).to_have_count(0)
