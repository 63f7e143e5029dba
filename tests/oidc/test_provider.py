"""Sign-in at an identity provider that nobody here wrote, and attacks on it (T-CSRF, T-MIX).

Planted bugs that these tests were seen to fail on: see each test.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import httpx
import pytest
from idp_world import Company, Walker

from app_world import REDIRECT_URI, DeployedApp
from sallyport.cli.browser import forms


def audit_of(company: Company, event: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(f"file:{company.demo.folder}/sallyport.db?mode=ro", uri=True)
    rows = database.execute("SELECT event FROM audit WHERE event = ?", (event,)).fetchall()
    database.close()
    return rows


def test_somebody_comes_in_and_gets_what_the_claims_give(company: Company) -> None:
    company.idp.be("ines", "staff", "acme")
    with company.browser() as browser:
        login = browser.get("/login?next=/admin")
        assert "Sign in with <bdi>Acme</bdi>" in login.text
        answer = browser.sign_in("/login/provider?next=/account/sessions")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/sessions")
        assert browser.who() == "ines"
        assert "by the identity provider" in browser.get("/account/sessions").text
        assert role_of(company, "ines@acme.test") == "member"
        # At the next sign-in the claims count anew, for the same account.
        company.idp.be("ines", "staff", "acme", "acme-admins", email="changed@acme.test")
        browser.sign_in("/login/provider?again=1")
        assert browser.who() == "ines"
        assert role_of(company, "ines@acme.test") == "admin"


def role_of(company: Company, email: str) -> str | None:
    site = company.demo.facts["cloud_id"]
    members = company.demo.person("admin").api("GET", f"/admin/sites/{site}/members").json()
    return next((each["role"] for each in members["items"] if each["email"] == email), None)


def test_a_claim_that_is_gone_takes_the_membership_from_the_next_call(
    company: Company, company_app: DeployedApp
) -> None:
    """Planted: memberships never taken away; taken without the change feed; those given by hand
    taken; a refused person's left."""
    company.idp.be("paul", "staff", "acme")
    with company.browser() as browser:
        browser.sign_in()
        token = consent(company, company_app, browser)
        assert company_app.call("GET", "/open/x", token=token).status_code == 200
        company.idp.be("paul", "staff")
        browser.sign_in("/login/provider?again=1")
        refused = company_app.call("GET", "/open/x", token=token)
        assert (refused.status_code, refused.json()["reason"]) == (403, "membership_ended")
        # By hand it stays, whatever claims say.
        admin = company.demo.person("admin")
        site = company.demo.facts["cloud_id"]
        member = f"/admin/sites/{site}/members/paul@acme.test"
        assert admin.api("PUT", member, json={"role": "member"}).is_success
        browser.sign_in("/login/provider?again=1")
        assert company_app.call("GET", "/open/x", token=token).status_code == 200
        # Whoever is refused keeps nothing that claims gave.
        assert admin.api("DELETE", member).is_success
        company.idp.be("paul", "staff", "acme")
        browser.sign_in("/login/provider?again=1")
        assert company_app.call("GET", "/open/x", token=token).status_code == 200
        company.idp.be("paul", "staff", "acme", "suspended")
        assert browser.sign_in("/login/provider?again=1").status_code == 403
        assert company_app.call("GET", "/open/x", token=token).status_code == 403


def consent(company: Company, app: DeployedApp, browser: Walker) -> str:
    """A token that who is signed in allows."""
    page = browser.http.get(app.authorization_url)
    form = next(each for each in forms(page.text) if "client_id" in dict(each.fields))
    fields: dict[str, Any] = {}
    for name, value in form.fields:
        fields.setdefault(name, []).append(value)
    fields |= {"site": company.demo.facts["cloud_id"], "decision": "allow"}
    answer = browser.http.post(
        f"{company.url}/authorize", data=fields, headers={"Origin": company.url}
    )
    code = httpx.URL(answer.headers["location"]).params["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    return str(app.exchange(**grant)["access_token"])


@pytest.mark.parametrize("groups", [(), ("acme",), ("staff", "suspended"), ("Staff",)], ids=str)
def test_who_is_refused_gets_no_account(company: Company, groups: tuple[str, ...]) -> None:
    """Nothing of theirs is kept, and nothing of the mapping is told."""
    company.idp.be("stranger", *groups)
    with company.browser() as browser:
        answer = browser.sign_in()
        assert answer.status_code == 403
        assert "does not let you in" in answer.text
        assert "groups" not in answer.text, "what the mapping says is the operator's"
        assert browser.who() is None
    accounts = company.demo.operator.api("GET", "/operator/accounts").text
    assert "stranger@acme.test" not in accounts


def test_an_email_leads_into_no_account_that_exists(company: Company) -> None:
    """Planted: the account found by its verified email."""
    victim = company.demo.facts["accounts"]["admin"]["email"]
    for n, verified in enumerate((True, False, "true", None)):
        company.idp.be(f"mallory{n}", "staff", email=victim, email_verified=verified)
        with company.browser() as browser:
            answer = browser.sign_in()
            assert answer.status_code == 403, answer.text
            assert browser.who() is None
    company.idp.be("mallory4", "staff", email="fresh@acme.test", email_verified=False)
    with company.browser() as browser:
        assert "does not say that your email address is verified" in browser.sign_in().text


def test_an_account_is_linked_by_who_is_signed_in_to_it(company: Company) -> None:
    """Planted: linking without the form's token; the account of the cookie not compared with who
    is signed in at the end."""
    person = company.demo.facts["accounts"]["developer"]
    company.idp.be("dora", "staff", email="anything@acme.test")
    with company.browser() as browser:
        password_sign_in(browser, person)
        page = browser.get("/account/sessions").text
        assert "Link this account" in page
        for wrong in ("/account/link", "/account/link?form_token=" + "0" * 64):
            assert browser.get(wrong).status_code == 403
        link = page.split('href="/account/link')[1].split('"')[0]
        back = browser.back("/account/link" + link)
        # Somebody else signs in before the answer comes.
        mallory = company.demo.facts["accounts"]["outsider"]
        password_sign_in(browser, mallory)
        assert browser.http.get(back).status_code == 400
        password_sign_in(browser, person)
        page = browser.get("/account/sessions").text
        link = page.split('href="/account/link')[1].split('"')[0]
        assert browser.sign_in("/account/link" + link).status_code == 303
        assert "You sign in here with" in browser.get("/account/sessions").text
    with company.browser() as elsewhere:
        elsewhere.sign_in()
        assert person["email"] in elsewhere.get("/account").text
    assert audit_of(company, "identity:linked")


def password_sign_in(browser: Walker, person: dict[str, str]) -> None:
    page = browser.get("/login?again=1")
    [form] = [each for each in forms(page.text) if "password" in dict(each.fields)]
    fields = dict(form.fields) | {"email": person["email"], "password": person["password"]}
    answer = browser.http.post(f"{browser.url}/login", data=fields, headers={"Origin": browser.url})
    assert answer.status_code == 303, answer.text


def test_an_answer_counts_once_and_in_its_own_browser(company: Company) -> None:
    """Planted: the state not used up; the state compared with nothing."""
    company.idp.be("ines", "staff", "acme")
    with company.browser() as browser, company.browser() as victim:
        back = browser.back()
        cookie = browser.http.cookies["sallyport-departed"]
        # Login CSRF: an answer brought to another browser, which may have begun one of its own.
        assert victim.http.get(back).status_code == 400
        victim.back()
        assert victim.http.get(back).status_code == 400
        assert victim.who() is None
        for state in ("", "x", "é", httpx.URL(back).params["state"][:-1]):
            wrong = httpx.URL(back).copy_set_param("state", state)
            assert browser.http.get(wrong).status_code == 400
        assert browser.http.get(back).status_code == 303
        # A replay, with the cookie that was there then.
        browser.http.cookies.set("sallyport-departed", cookie, domain="localhost.local")
        browser.http.cookies.set("sallyport-departed", cookie)
        replayed = httpx.get(back, cookies={"sallyport-departed": cookie})
        assert replayed.status_code == 400
        assert "finished before" in replayed.text


def test_a_mixed_up_or_refused_answer_is_none(company: Company) -> None:
    """Planted: iss not compared; a missing iss taken of a provider that always sends it."""
    company.idp.be("ines", "staff", "acme")
    changes: list[tuple[dict[str, str | None], int]] = [
        ({"iss": "https://other.example"}, 502),
        ({"iss": None}, 502),
        ({"code": "made-up"}, 502),
        ({"code": None, "error": "access_denied"}, 403),
        ({"error": "<script>"}, 403),
        ({"code": "x" * 5000}, 400),
    ]
    for change, status in changes:
        with company.browser() as browser:
            url = httpx.URL(browser.back())
            for name, value in change.items():
                url = (
                    url.copy_remove_param(name)
                    if value is None
                    else url.copy_set_param(name, value)
                )
            answer = browser.http.get(url)
            assert answer.status_code == status, (change, answer.text)
            assert "<script>" not in answer.text
            assert browser.who() is None
    with company.browser() as browser:
        twice = httpx.URL(browser.back()).copy_add_param("state", "x")
        assert browser.http.get(twice).status_code == 400


def test_another_persons_code_is_none(company: Company) -> None:
    """Code injection: PKCE and nonce bind a code to the browser that asked for it."""
    company.idp.be("ines", "staff", "acme")
    with company.browser() as mallory, company.browser() as victim:
        stolen = httpx.URL(victim.back()).params["code"]
        url = httpx.URL(mallory.back()).copy_set_param("code", stolen)
        assert mallory.http.get(url).status_code == 502
        assert mallory.who() is None


@pytest.mark.parametrize("target", ["https://evil.test", "//evil.test", "/\\evil.test"])
def test_sign_in_leads_nowhere_else(company: Company, target: str) -> None:
    company.idp.be("ines", "staff", "acme")
    with company.browser() as browser:
        start = httpx.URL("/login/provider", params={"next": target})
        assert browser.sign_in(str(start)).headers["location"] == "/console"


def test_a_session_is_made_anew_and_the_one_before_ends(company: Company) -> None:
    company.idp.be("ines", "staff", "acme")
    with company.browser() as browser, company.browser() as other:
        browser.sign_in()
        planted = browser.http.cookies["sallyport"]
        other.http.cookies.set("sallyport", planted, domain="localhost.local")
        browser.sign_in("/login/provider?again=1")
        assert browser.http.cookies["sallyport"] != planted
        answer = httpx.get(f"{company.url}/account", cookies={"sallyport": planted})
        assert answer.status_code == 303


def test_another_sites_page_begins_nothing(company: Company) -> None:
    answer = httpx.get(f"{company.url}/login/provider", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["location"] == "/login"
    assert "set-cookie" not in answer.headers
