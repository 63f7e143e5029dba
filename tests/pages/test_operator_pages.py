"""The operator makes customers and accounts on pages, and is told what ends something."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from browsing import House, form_token

OPERATOR = "root@operator.example"


@pytest.fixture
def operator(house: House) -> Iterator[httpx.Client]:
    house.add_account(OPERATOR, "Root", operator=True)
    with house.signed_in(OPERATOR) as client:
        yield client


def send(client: httpx.Client, page: str, action: str, **fields: str | list[str]) -> httpx.Response:
    token = form_token(client.get(page), action)
    return client.post(action, data={**fields, "form_token": token})


def test_a_customer_is_made(operator: httpx.Client, house: House) -> None:
    page = "/operator/customers"
    kept = send(operator, page, f"{page}/organizations", name=" ")
    assert kept.status_code == 422
    assert 'id="name-wrong"' in kept.text
    send(operator, page, f"{page}/organizations", name="Umbrella")
    shown = operator.get(page).text
    organization = re.search(r'<option value="([0-9a-f-]{36})"[^>]*>Umbrella<', shown)
    assert organization is not None
    site = {"organization": organization[1], "host": "umbrella.example", "site_name": "Umbrella"}
    kept = send(operator, page, f"{page}/sites", **{**site, "host": "http://x"}, product="jira")
    assert kept.status_code == 422
    assert 'value="http://x"' in kept.text
    kept = send(operator, page, f"{page}/sites", **site)
    assert "The site runs no product." in html.unescape(kept.text)
    assert send(operator, page, f"{page}/sites", **site, product="jira").status_code == 303
    found = re.search(r'<option value="([0-9a-f-]{36})"[^>]*>umbrella', operator.get(page).text)
    assert found is not None
    house.add_account("alice@umbrella.example", "Alice")
    member = {"member_site": found[1], "role": "admin"}
    kept = send(operator, page, f"{page}/members", **member, account="bob@umbrella.example")
    assert kept.status_code == 404
    assert 'id="account-wrong"' in kept.text
    send(operator, page, f"{page}/members", **member, account="alice@umbrella.example")
    with house.signed_in("alice@umbrella.example") as alice:
        assert "umbrella.<wbr>example" in alice.get("/admin").text
        assert alice.get(f"/admin/sites/{found[1]}/members").status_code == 200


def test_an_account_from_its_making_to_its_end(operator: httpx.Client, house: House) -> None:
    page = "/operator/accounts"
    kept = send(operator, page, page, email="no email", name="Zoe")
    assert kept.status_code == 422
    assert 'value="Zoe"' in kept.text
    made = send(operator, page, page, email="zoe@zoo.example", name="Zoe")
    assert made.status_code == 201
    password = re.search(r'id="password">([^<]+)<', made.text)
    assert password is not None
    assert password[1] not in operator.get(page).text
    with house.http(headers={"Origin": house.url}) as zoe:
        fields = {"email": "zoe@zoo.example", "password": html.unescape(password[1])}
        token = form_token(zoe.get("/login"))
        assert zoe.post("/login", data={**fields, "form_token": token}).status_code == 303
        assert zoe.get("/account").status_code == 200
        address = re.search(
            rf"{page}/([0-9a-f-]{{36}})/deactivate\">Deactivate[^<]*<[^>]*> Zoe",
            operator.get(page).text,
        )
        assert address is not None
        ask = f"{page}/{address[1]}/deactivate"
        assert "cannot sign in" in operator.get(ask).text
        assert send(operator, ask, ask).status_code == 303
        assert zoe.get("/account").status_code == 303
    change = f"{page}/{address[1]}/change"
    assert send(operator, page, change, change="activate").status_code == 303
    assert send(operator, page, change, change="own").status_code == 422


def test_the_platform_keeps_an_operator(operator: httpx.Client, house: House) -> None:
    me = house.add_account(OPERATOR, "Root")
    page = "/operator/accounts"
    last = send(operator, page, f"{page}/{me.id}/change", change="end-operator")
    assert last.status_code == 409
    assert "Make another account an operator first." in html.unescape(last.text)
    ask = f"{page}/{me.id}/deactivate"
    assert send(operator, ask, ask).status_code == 409


def test_keys_turn_and_are_retired(operator: httpx.Client) -> None:
    def keys() -> list[str]:
        return re.findall(r"/operator/keys/([\w-]+)/retire", operator.get("/operator").text)

    before = keys()
    send(operator, "/operator", "/operator/keys", now="yes")
    after = keys()
    assert len(after) == len(before) + 1
    waits = send(operator, "/operator", "/operator/keys")
    if waits.status_code == 303:
        waits = send(operator, "/operator", "/operator/keys")
    assert waits.status_code == 409
    assert 'role="alert"' in waits.text
    # The one that signs stays until another does; the next one may go.
    signs, waiting = keys()[-2:]
    ask = f"/operator/keys/{signs}/retire"
    assert send(operator, ask, ask).status_code == 409
    ask = f"/operator/keys/{waiting}/retire"
    assert "is refused from then on" in operator.get(ask).text
    assert send(operator, ask, ask).status_code == 303
    assert waiting not in keys()
    assert operator.get(ask).status_code == 404
