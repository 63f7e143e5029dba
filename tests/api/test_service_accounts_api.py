"""Service accounts, by the control API: who makes them, what they show, how they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from test_integrations_api import JIRA, READ, People, answer, people, refused

from sallyport.vocab.ids import is_well_formed

__all__ = ["people"]


class Site:
    def __init__(self, people: People) -> None:
        self.people = people

    def path(self, *rest: str) -> str:
        return "/".join(["/admin/sites/acme.test/service-accounts", *rest])

    def create(self, who: httpx.Client | None = None, **changes: Any) -> httpx.Response:
        body = {
            "name": "Payroll robot",
            "app_id": self.people.app_id,
            "environment": "development",
            "scopes": [READ],
            **changes,
        }
        return (who or self.people.admin).post(self.path(), json=body)


@pytest.fixture
def site(people: People) -> Iterator[Site]:
    yield Site(people)
    for each in answer(people.admin.get(Site(people).path()), 200)["items"]:
        people.admin.delete(Site(people).path(each["client_id"]))


def test_an_admin_makes_one_and_gets_all_it_needs(people: People, site: Site) -> None:
    made = answer(site.create(), 201)
    assert is_well_formed(made.pop("client_secret"), "spcs")
    assert (made["name"], made["app_id"]) == ("Payroll robot", people.app_id)
    assert (made["scopes"], made["product_scopes"]) == ([READ], [JIRA])
    assert made["live_secrets"] == 1
    assert all(f"/apps/{people.app_id}_" in url for url in made["base_urls"])
    assert answer(people.admin.get(site.path(made["client_id"])), 200) == made
    assert answer(people.admin.get(site.path()), 200)["items"] == [made]


def test_only_admins_of_the_site_know_of_them(people: People, site: Site) -> None:
    client_id = answer(site.create(), 201)["client_id"]
    refused(site.create(people.member), 403, "not_allowed")
    for who, status in ((people.member, 403), (people.outsider, 404)):
        for method, path in (
            ("GET", site.path()),
            ("GET", site.path(client_id)),
            ("DELETE", site.path(client_id)),
            ("POST", site.path(client_id, "secrets")),
            ("DELETE", site.path(client_id, "secrets", "previous")),
        ):
            assert who.request(method, path).status_code == status, (method, path)
    elsewhere = "/admin/sites/beta.test/service-accounts"
    assert people.outsider.get(f"{elsewhere}/{client_id}").status_code == 404
    assert people.outsider.delete(f"{elsewhere}/{client_id}").status_code == 404
    assert answer(people.admin.get(site.path(client_id)), 200)["client_id"] == client_id


def test_it_is_neither_an_integration_nor_a_person(people: People, site: Site) -> None:
    made = answer(site.create(), 201)
    path = f"/integrations/{made['client_id']}"
    changes = {"redirect_uris": ["https://evil.test/cb"]}
    assert people.admin.get(path).status_code == 404
    assert people.admin.patch(path, json=changes).status_code == 404
    operator = people.platform.operator
    known = answer(operator.get("/operator/accounts"), 200)["items"]
    assert made["account_id"] not in {each["account_id"] for each in known}
    for account in (made["account_id"], f"{made['client_id']}@service.invalid"):
        path = f"/operator/accounts/{account}"
        assert operator.patch(path, json={"password": "a-long-password-1"}).status_code == 404
        assert operator.post(f"{path}/api-tokens", json={"label": "x"}).status_code == 404


def test_what_cannot_be_is_refused(people: People, site: Site) -> None:
    refused(site.create(scopes=[]), 422, "invalid_input")
    refused(site.create(scopes=["read:other:custom"]), 422, "invalid_input")
    refused(site.create(product_scopes=["read:forge-app:confluence"]), 422, "invalid_input")
    refused(site.create(name=""), 422, "invalid_input")
    refused(site.create(environment="production"), 404, "not_found")


def test_secrets_are_rotated_without_a_gap(people: People, site: Site) -> None:
    path = site.path(answer(site.create(), 201)["client_id"])
    refused(people.admin.delete(f"{path}/secrets/previous"), 409, "conflict")
    assert is_well_formed(
        answer(people.admin.post(f"{path}/secrets"), 201)["client_secret"], "spcs"
    )
    assert answer(people.admin.get(path), 200)["live_secrets"] == 2
    refused(people.admin.post(f"{path}/secrets"), 409, "conflict")
    assert people.admin.delete(f"{path}/secrets/previous").status_code == 204
    assert answer(people.admin.get(path), 200)["live_secrets"] == 1


def test_an_ended_one_is_gone(people: People, site: Site) -> None:
    path = site.path(answer(site.create(), 201)["client_id"])
    assert people.admin.delete(path).status_code == 204
    refused(people.admin.get(path), 404, "not_found")
    refused(people.admin.delete(path), 404, "not_found")
