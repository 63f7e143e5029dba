"""The admin console: who sees what, and the switch that says what it will do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from browsing import House, form_token, sign_in
from connected import READ, Connected, connect
from sallyport.control.switch import rest_apis
from sallyport.model.decision import GATES, DecisionRecord
from sallyport.model.directory import PLATFORM
from sallyport.store.records import add_decisions
from sallyport.vocab.ids import new_id


@pytest.fixture(scope="module")
def acme(running_house: House) -> Connected:
    return connect(running_house, "acme")


@pytest.fixture
def admin(house: House, acme: Connected) -> Iterator[httpx.Client]:
    with house.signed_in(acme.admin) as client:
        yield client


def is_on(house: House, place: Connected) -> bool:
    state = rest_apis(house.services, PLATFORM, place.site_id, place.app_id, "development")
    return house.act(state).enabled


def test_an_admin_turns_rest_apis_on_and_off(house: House, page: Page, acme: Connected) -> None:
    sign_in(page, house, acme.admin)
    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_role("link", name="acme.example").click()
    page.get_by_role("link", name="Employee Directory (DEVELOPMENT)").click()
    expect(page.get_by_role("heading", name="REST APIs are off")).to_be_visible()
    expect(page.locator(".switch")).to_contain_text("opens 3 routes")
    expect(page.locator(".base-url")).to_have_count(0)
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="REST APIs are on")).to_be_visible()
    assert is_on(house, acme)
    expect(page.locator(".switch")).to_contain_text("refuses the next call everywhere")
    expect(page.locator(".switch")).to_contain_text(f"by {acme.admin}")
    urls = page.locator(".base-url").all_text_contents()
    assert urls[0].startswith(f"{house.url}/svc/jira/{acme.site_id}/apps/{acme.app_id}_")
    assert "//acme.example" in urls[1]
    expect(page.locator("td .chip", has_text=READ)).to_have_count(3)
    page.get_by_role("link", name="Turn off").click()
    expect(page.locator(".confirm")).to_contain_text("0 calls came in the last day")
    page.get_by_role("link", name="Keep it").click()
    assert is_on(house, acme)
    page.get_by_role("link", name="Turn off").click()
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("heading", name="REST APIs are off")).to_be_visible()
    assert not is_on(house, acme)


def test_a_member_sees_but_turns_nothing(house: House, acme: Connected) -> None:
    with house.signed_in(acme.member) as member:
        shown = member.get(acme.address)
        assert shown.status_code == 200
        assert "Turn on" not in shown.text
        assert "Uninstall" not in shown.text
        assert "Recently refused" not in shown.text
        token = forged_token(house, member, f"{acme.address}/rest-apis")
        refused = member.post(f"{acme.address}/rest-apis", data={"turn": "on", "form_token": token})
    assert refused.status_code == 403
    assert not is_on(house, acme)


def forged_token(house: House, client: httpx.Client, action: str) -> str:
    """What a member who reads our source can make of the own cookie."""
    from sallyport.web.csrf import form_token as make

    return make(client.cookies["sallyport"], action)


def test_a_stranger_finds_no_site(house: House, acme: Connected) -> None:
    house.add_account("stranger@elsewhere.example", "Stranger")
    with house.signed_in("stranger@elsewhere.example") as stranger:
        for path in (f"/admin/sites/{acme.site_id}", acme.address):
            assert stranger.get(path).status_code == 404
        assert "acme.example" not in stranger.get("/admin").text


def test_the_switch_takes_two_words(house: House, admin: httpx.Client, acme: Connected) -> None:
    action = f"{acme.address}/rest-apis"
    token = form_token(admin.get(acme.address), action)
    for word in ("", "maybe", "ON"):
        answer = admin.post(action, data={"turn": word, "form_token": token})
        assert answer.status_code == 422
    assert not is_on(house, acme)


def test_an_admin_installs_and_uninstalls(house: House, page: Page, acme: Connected) -> None:
    sign_in(page, house, acme.admin)
    page.goto(f"{house.url}/admin/sites/{acme.site_id}")
    page.get_by_label("App id").fill(acme.app_id)
    page.get_by_label("Environment").fill("staging")
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is deployed to staging yet.")
    expect(page.get_by_label("App id")).to_have_value(acme.app_id)
    page.get_by_label("Environment").fill("development")
    page.get_by_label("Product").select_option("confluence")
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_role("heading", name="On confluence")).to_be_visible()
    page.get_by_role("link", name="Uninstall from confluence").click()
    expect(page.locator(".confirm")).to_contain_text("cannot be undone")
    page.get_by_role("button", name="Uninstall").click()
    page.wait_for_url(f"{house.url}/admin/sites/{acme.site_id}")
    expect(page.get_by_role("row", name="Employee Directory")).to_have_count(1)


def test_a_refusal_is_told_gate_by_gate(house: House, page: Page, acme: Connected) -> None:
    environment_id = house.act(_environment_id(house, acme))
    record = DecisionRecord(
        id=new_id(),
        trace_id="0" * 32,
        at=house.services.store.clock.now(),
        method="POST",
        path="/editEmployeeName",
        status=403,
        gate="scopes",
        reason="scope_missing",
        problem={
            "title": "The token lacks a scope that this route needs",
            "detail": "The route needs write:employee:custom.",
            "fix": "Ask for consent again.",
            "missing_scopes": ["write:employee:custom"],
        },
        duration_us=1234,
        site_id=acme.site_id,
        app_id=acme.app_id,
        environment_id=environment_id,
        installation_id=None,
        route_key=None,
        client_id=None,
        account_id=None,
        grant_id=None,
        invocation_id=None,
    )
    house.act(house.services.store.write(add_decisions, [record]))
    sign_in(page, house, acme.admin)
    page.goto(house.url + acme.address)
    page.locator("#refusals").get_by_role("link", name="Why").click()
    gates = page.locator(".gates li")
    expect(gates).to_have_count(len(GATES))
    expect(page.locator(".gates li.shut")).to_have_text("scopes shut")
    expect(page.locator(".gates li.open")).to_have_count(6)
    expect(page.locator(".gates li.unreached")).to_have_count(len(GATES) - 7)
    expect(page.locator("main")).to_contain_text("The token lacks write:employee:custom")
    with house.signed_in(acme.member) as member:
        assert member.get(page.url).status_code == 404


async def _environment_id(house: House, place: Connected) -> str:
    from sallyport.control.apps import show_app

    view = await show_app(house.services, PLATFORM, place.app_id)
    return next(e.environment.id for e in view.environments if e.environment.key == "development")
