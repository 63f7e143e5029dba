"""What a person has allowed, on a page of its own, and who vouches for it."""

from __future__ import annotations

import httpx

from app_world import DeployedApp
from sallyport.cli.browser import forms


def test_a_consent_is_listed_in_words_and_ends(echo: DeployedApp) -> None:
    demo = echo.demo
    person = demo.facts["accounts"]["member"]
    token = echo.consent()["access_token"]
    [grant] = [
        each
        for each in demo.person("member").api("GET", "/grants").json()["items"]
        if each["client_id"] == echo.client_id
    ]
    assert (grant["verified"], grant["last_token_at"] is None) == (False, False)
    with httpx.Client(base_url=demo.facts["public_url"], timeout=30) as browser:
        headers = {"Origin": demo.facts["public_url"]}
        [form] = [each for each in forms(browser.get("/login").text) if each.action == "/login"]
        fields = dict(form.fields) | {"email": person["email"], "password": person["password"]}
        assert browser.post("/login", data=fields, headers=headers).is_redirect

        def section() -> str:
            page = browser.get("/account/grants").text
            mark = f'id="grant-{grant["grant_id"]}"'
            return page.split(mark)[1].split("</section>")[0] if mark in page else ""

        assert "unverified" in section()
        assert "May read:thing:custom." in section().replace("<wbr>", "")
        assert "Last token" in section()
        # The operator alone vouches, and takes it back.
        verified = f"/operator/integrations/{echo.client_id}/verified"
        assert demo.person("developer").api("PUT", verified).status_code == 403
        demo.operator.cli("operator", "integrations", "verify", echo.client_id)
        assert "unverified" not in section()
        assert "verified" in section()
        demo.operator.cli("operator", "integrations", "unverify", echo.client_id)
        assert "unverified" in section()
        unknown = "/operator/integrations/00000000-0000-4000-8000-000000000000/verified"
        assert demo.operator.api("PUT", unknown).status_code == 404
        # Ending it refuses the next call.
        assert echo.call("GET", "/open/x", token=token).status_code == 200
        action = f"/account/grants/{grant['grant_id']}/end"
        page = browser.get("/account/grants").text
        [form] = [each for each in forms(page) if each.action == action]
        assert browser.post(action, data=dict(form.fields), headers=headers).status_code == 303
        assert echo.call("GET", "/open/x", token=token).status_code == 401
        assert section() == ""
    echo.tokens.update(echo.consent())
