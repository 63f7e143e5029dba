"""Attacks by other sites' pages: forged forms, replayed forms, planted sessions, open redirects.

Planted bugs that these tests were seen to fail on: `same-site` or `none` taken for `same-origin`;
neither header asked for; Origin not compared, or not where Sec-Fetch-Site is there, or without
its scheme, its port or its beginning; a form's token not looked at, good without one, for any
purpose, session or question, or for any of one client; the session that came along living on;
cookies for scripts, for other sites or for a domain; forms taken by GET; a way
on from sign-in or sign-out not checked, or let through with two slashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser
from starlette.routing import Route

from browsing import PASSWORD, House, form_token
from sallyport.web.pages import FORMS, OPEN_FORMS, build_pages

MARA = "mara@acme.example"
EVE = "eve@acme.example"
FORM_PATHS = [re.sub("[{}]", "", path) for path, _ in (*OPEN_FORMS, *FORMS)]
FROM_ELSEWHERE = [
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Origin": "http://localhost:1"},
    {"Origin": "https://{host}"},
    {"Origin": "http://evil{host}"},
]
"""What pages of other origins send; `{host}` is the platform's own."""


@pytest.fixture
def mara(house: House) -> Iterator[httpx.Client]:
    house.add_account(MARA, "Mara Lind")
    with house.signed_in(MARA) as client:
        yield client


@pytest.fixture(params=FROM_ELSEWHERE, ids=str)
def headers(request: pytest.FixtureRequest, house: House) -> dict[str, str]:
    """The headers of a form that another site's page sends."""
    host = house.url.partition("://")[2]
    return {name: value.format(host=host) for name, value in request.param.items()}


def answer(page: httpx.Response, decision: str = "allow") -> dict[str, str]:
    """The consent form as the page drew it."""
    house_fields = ("client_id", "state", "redirect_uri", "site")
    fields = {"form_token": form_token(page, "/authorize"), "decision": decision}
    for name in house_fields:
        start = page.text.index(f'name="{name}" value="') + len(f'name="{name}" value="')
        fields[name] = page.text[start : page.text.index('"', start)]
    return fields


def test_a_form_from_elsewhere_consents_to_nothing(
    house: House, mara: httpx.Client, headers: dict[str, str]
) -> None:
    fields = answer(mara.get("/authorize?x=1"))
    del mara.headers["Origin"]
    refused = mara.post("/authorize", data=fields, headers=headers)
    assert refused.status_code == 403
    assert "location" not in refused.headers
    assert house.answers == []
    mara.headers["Origin"] = house.url
    assert mara.post("/authorize", data=fields).status_code == 303


def test_no_form_of_ours_can_be_sent_from_elsewhere(
    mara: httpx.Client, headers: dict[str, str]
) -> None:
    del mara.headers["Origin"]
    for path in FORM_PATHS:
        refused = mara.post(path, data={"form_token": "0" * 64}, headers=headers)
        assert refused.status_code == 403, path
        assert "came from another site" in refused.text
    assert mara.get("/account").status_code == 200, "the session must have survived"


@pytest.mark.parametrize("fields", [{}, {"form_token": ""}, {"form_token": "0" * 64}], ids=str)
def test_no_form_of_ours_counts_without_its_token(
    mara: httpx.Client, fields: dict[str, str]
) -> None:
    for path in FORM_PATHS:
        refused = mara.post(path, data={"email": EVE, **fields})
        assert refused.status_code == 403, path
        assert "not drawn for your session" in refused.text


def test_a_form_drawn_for_another_session_is_refused(house: House, mara: httpx.Client) -> None:
    house.add_account(EVE, "Eve")
    with house.signed_in(EVE) as eve:
        fields = answer(eve.get("/authorize?x=1"))
    assert mara.post("/authorize", data=fields).status_code == 403
    assert house.answers == []


def test_a_form_drawn_before_signing_in_again_is_refused(house: House, mara: httpx.Client) -> None:
    fields = answer(mara.get("/authorize?x=1"))
    mara.post("/logout", data={"form_token": form_token(mara.get("/account"), "/logout")})
    assert mara.post("/authorize", data=fields).status_code == 403
    assert house.answers == []


@pytest.mark.parametrize("field", ["client_id", "state", "redirect_uri"])
def test_an_answer_fits_the_question_that_was_shown_alone(
    house: House, mara: httpx.Client, field: str
) -> None:
    fields = answer(mara.get("/authorize?x=1"))
    assert mara.post("/authorize", data=fields | {field: "another"}).status_code == 403
    assert mara.post("/authorize", data=fields | {"scope": "more"}).status_code == 403
    assert house.answers == []


def test_a_token_for_one_form_is_none_for_another(mara: httpx.Client) -> None:
    token = form_token(mara.get("/account"), "/logout")
    assert mara.post("/account/api-tokens", data={"label": "x", "form_token": token}).is_error


def test_looking_changes_nothing(house: House, mara: httpx.Client) -> None:
    """Every address answers GET by showing; none that changes something takes it."""
    routes = [each for each in build_pages(house.services) if isinstance(each, Route)]
    only_sent = {path for path, _ in FORMS} - {
        each.path for each in routes if "GET" in (each.methods or ())
    }
    for path in ["/logout", *only_sent]:
        assert mara.get(path.replace("{", "").replace("}", "")).status_code == 405
    assert mara.get("/authorize?x=1&decision=allow").status_code == 200
    assert house.answers == []
    assert mara.get("/account").status_code == 200


def test_a_planted_session_is_not_the_one_that_signs_in(house: House) -> None:
    """Eve plants her session and her form's cookie; whoever signs in there gets another session."""
    house.add_account(MARA, "Mara Lind")
    house.add_account(EVE, "Eve")
    with house.signed_in(EVE) as eve, house.http(headers={"Origin": house.url}) as victim:
        planted = eve.cookies["sallyport"]
        victim.cookies.update(eve.cookies)
        token = form_token(victim.get("/login?again=1"), "/login")
        victim.post("/login", data={"email": MARA, "password": PASSWORD, "form_token": token})
        assert victim.cookies["sallyport"] != planted
        assert "Mara Lind" in victim.get("/account").text
        assert eve.get("/account").status_code == 303, "the planted session must have ended"


def test_cookies_are_out_of_reach(house: House) -> None:
    house.add_account(MARA, "Mara Lind")
    with house.http(headers={"Origin": house.url}) as client:
        shown = client.get("/login")
        data = {"email": MARA, "password": PASSWORD, "form_token": form_token(shown)}
        signed_in = client.post("/login", data=data)
    for response in (shown, signed_in):
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "path=/" in cookie
        assert "domain" not in cookie


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%5cevil.example",
        "javascript:1",
    ],
)
def test_signing_in_and_out_leads_nowhere_else(house: House, target: str) -> None:
    house.add_account(MARA, "Mara Lind")
    with house.http(headers={"Origin": house.url}) as client:
        shown = client.get("/login", params={"next": target})
        data = {"email": MARA, "password": PASSWORD, "form_token": form_token(shown)}
        location = client.post("/login", data=data | {"next": target}).headers["location"]
        assert httpx.URL(house.url).join(location).host == "localhost"
        again = client.get("/login", params={"next": target}).headers["location"]
        assert httpx.URL(house.url).join(again).host == "localhost"
        token = form_token(client.get("/account"), "/logout")
        left = client.post("/logout", data={"form_token": token, "next": target})
        assert httpx.URL(house.url).join(left.headers["location"]).host == "localhost"


def test_a_foreign_page_in_a_real_browser_gets_nowhere(house: House, chromium: Browser) -> None:
    """Another port of the same machine: same site, so cookies go along, another origin still."""
    house.add_account(MARA, "Mara Lind")
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{house.url}/login")
    page.get_by_label("Email").fill(MARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{house.url}/authorize?x=1")
    token = page.locator("form[action='/authorize'] input[name=form_token]").get_attribute("value")
    page.goto(house.client_url)
    page.set_content(
        f"<form method=post action='{house.url}/authorize'>"
        f"<input name=form_token value='{token}'><input name=decision value=allow>"
        f"<input name=client_id value=c1><input name=state value=s1>"
        f"<input name=redirect_uri value='{house.client_url}/callback'>"
        f"<input name=site value='{house.question.sites[0].site_id}'><button>Win</button></form>"
    )
    page.get_by_role("button", name="Win").click()
    page.get_by_role("heading", name="The request came from another site's page").wait_for()
    assert house.answers == []
    context.close()
