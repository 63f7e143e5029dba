"""Signing in and out as a person does, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from browsing import PASSWORD, House, form_token, sign_in
from sallyport.control.setup import ensure_setup_link

MARA = "mara@acme.example"


def test_a_person_signs_in_and_out(house: House, page: Page) -> None:
    house.add_account(MARA, "Mara Lind")
    page.goto(house.url)
    expect(page).to_have_url(re.compile("/login$"))
    expect(page.get_by_label("Email")).to_be_focused()
    sign_in(page, house, MARA)
    expect(page).to_have_url(f"{house.url}/console")
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Mara Lind")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{house.url}/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_sign_in_leads_back_to_where_one_wanted_to_go(house: House, page: Page) -> None:
    house.add_account(MARA, "Mara Lind")
    page.goto(f"{house.url}/account?from=mail")
    page.get_by_label("Email").fill(MARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{house.url}/account?from=mail")


def test_a_wrong_password_is_told_and_the_email_kept(house: House, page: Page) -> None:
    house.add_account(MARA, "Mara Lind")
    page.goto(f"{house.url}/login")
    page.get_by_label("Email").fill(MARA)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Check the email and the password.")
    expect(page.get_by_label("Email")).to_have_value(MARA)
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()


def test_a_refused_sign_in_does_not_make_the_browser_ask_itself(house: House) -> None:
    with house.http(headers={"Origin": house.url}) as client:
        token = form_token(client.get("/login"))
        data = {"email": MARA, "password": "x", "form_token": token}
        refused = client.post("/login", data=data)
    assert refused.status_code == 401
    assert "www-authenticate" not in refused.headers


def test_too_many_attempts_are_told_how_long_to_wait(house: House) -> None:
    with house.http(headers={"Origin": house.url}) as client:
        data = {
            "email": "guessed@acme.example",
            "password": "x",
            "form_token": form_token(client.get("/login")),
        }
        answers = [client.post("/login", data=data) for _ in range(12)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_signing_in_again_can_be_asked_of_those_who_are_signed_in(house: House) -> None:
    house.add_account(MARA, "Mara Lind")
    with house.signed_in(MARA) as client:
        assert client.get("/login?next=/admin").headers["location"] == "/admin"
        assert client.get("/login?next=/admin&again=1").status_code == 200


def test_the_setup_link_makes_the_first_operator_once(house: House, page: Page) -> None:
    link = house.act(ensure_setup_link(house.services))
    assert link is not None
    page.goto(link)
    page.get_by_label("Name").fill("Olga Operator")
    page.get_by_label("Email").fill("olga@operator.example")
    page.get_by_label("Password").fill("too short")
    page.get_by_label("Password").evaluate("field => field.removeAttribute('minlength')")
    page.get_by_role("button", name="Make the operator account").click()
    expect(page.get_by_role("alert")).to_contain_text("12 to 1024 characters")
    expect(page.get_by_label("Name")).to_have_value("Olga Operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the operator account").click()
    expect(page).to_have_url(f"{house.url}/console")
    page.goto(f"{house.url}/account")
    expect(page.locator("main")).to_contain_text("olga@operator.example, operator")
    page.goto(link)
    page.get_by_label("Name").fill("Eve")
    page.get_by_label("Email").fill("eve@operator.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the operator account").click()
    expect(page.get_by_role("alert")).to_contain_text("This setup link does not work")


def test_pages_for_members_send_a_stranger_to_sign_in(house: House) -> None:
    with house.http() as client:
        for path in ("/account", "/console", "/admin", "/console/integrations/new?link=1"):
            answer = client.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=%2F")
            assert answer.headers["cache-control"] == "no-store"


def test_an_unknown_address_and_a_failure_look_like_ours(house: House, page: Page) -> None:
    page.goto(f"{house.url}/nowhere")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page.goto(f"{house.url}/broken")
    expect(page.get_by_role("heading", name="Something went wrong here")).to_be_visible()
    expect(page.get_by_text(re.compile("trace [0-9a-f]{32}"))).to_be_visible()
    expect(page.get_by_text("secret of the inside")).to_have_count(0)


def test_a_program_gets_a_problem_document_instead(house: House) -> None:
    with house.http() as client:
        answer = client.get("/nowhere")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["reason"] == "not_found"
        assert client.put("/login").json()["reason"] == "method_not_allowed"


def test_the_style_sheet_keeps_and_its_address_names_its_content(house: House) -> None:
    with house.http() as client:
        address = re.search(
            r'href="(/static/sallyport\.css\?v=[0-9a-f]{12})"', client.get("/login").text
        )
        assert address is not None
        sheet = client.get(address[1])
        assert sheet.headers["content-type"].startswith("text/css")
        assert "immutable" in sheet.headers["cache-control"]
        assert client.get("/static/..%2fdrawing.py").status_code == 404
        assert client.get("/static/other.css").status_code == 404
