"""Integrations and consents over the control API: who makes, sees, changes and ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from app_folder import READ, manifest, upload

from access_world import audited
from sallyport.control import integrations
from sallyport.model.directory import Actor
from sallyport.store.consent import Consent, give_consent
from sallyport.tokens.codes import new_code
from sallyport.vocab.ids import is_well_formed
from serving import Platform, serving

JIRA = "read:forge-app:jira"
CALLBACKS = ["https://client.test/cb"]


@dataclass(frozen=True)
class People:
    """The admin and two members of `acme.test`, where the app is installed; and an outsider."""

    platform: Platform
    developer: httpx.Client
    admin: httpx.Client
    member: httpx.Client
    other: httpx.Client
    outsider: httpx.Client
    site_id: str
    app_id: str

    def link(self, **changes: Any) -> dict[str, Any]:
        return {
            "site": "acme.test",
            "app_id": self.app_id,
            "environment": "development",
            "scopes": [READ],
            "product_scopes": [JIRA],
            **changes,
        }

    def create(self, who: httpx.Client | None = None, **changes: Any) -> httpx.Response:
        body = {"name": "Sync", "redirect_uris": CALLBACKS, "link": self.link(), **changes}
        return (who or self.member).post("/integrations", json=body)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    names = ("developer", "admin", "member", "other", "outsider")
    with serving(tmp_path_factory.mktemp("platform")) as platform, ExitStack() as closing:
        assert platform.claim().status_code == 201
        closing.enter_context(platform.operator)
        made = {
            name: closing.enter_context(platform.make_account(f"{name}@acme.test", name.title()))
            for name in names
        }
        members = ["member@acme.test", "other@acme.test"]
        site = platform.make_site("acme.test", admins=["admin@acme.test"], members=members)
        platform.make_site("beta.test", admins=["outsider@acme.test"])
        app_id = deploy(made["developer"], "People")
        wanted = {"app_id": app_id, "environment": "development", "site": "acme.test"}
        answer(made["admin"].post("/installations", json={**wanted, "product": "jira"}), 201)
        yield People(platform, **made, site_id=site["site_id"], app_id=app_id)


def deploy(developer: httpx.Client, name: str) -> str:
    app_id: str = answer(developer.post("/apps", json={"name": name}), 201)["app_id"]
    environment = f"/apps/{app_id}/environments/development"
    scopes = {"scopes": [{"name": READ, "description": "Reads names."}]}
    answer(developer.post(f"{environment}/custom-scopes", json=scopes), 200)
    zipped = {"Content-Type": "application/zip"}
    archive = upload(manifest(app_id))
    answer(developer.post(f"{environment}/deployments", content=archive, headers=zipped), 201)
    return app_id


def answer(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    return response.json() if response.content else None


def refused(response: httpx.Response, status: int, reason: str) -> Any:
    body = answer(response, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert body["reason"] == reason, body
    return body


def consent(people: People, client_id: str) -> None:
    """As the consent page does for the member."""
    member = answer(people.member.get("/me"), 200)["account_id"]
    link = answer(people.member.get(f"/integrations/{client_id}"), 200)["links"][0]
    given = people.platform.act(
        people.platform.services.store.write(
            give_consent,
            Actor(member, "Member"),
            Consent(
                client_id,
                member,
                people.site_id,
                link["environment_id"],
                frozenset({READ, JIRA}),
                CALLBACKS[0],
                True,
                None,
            ),
            new_code()[1],
            60_000,
        )
    )
    assert given


def test_a_member_makes_an_integration_and_gets_all_it_needs(people: People) -> None:
    made = answer(people.create(), 201)
    assert is_well_formed(made["client_secret"], "spcs")
    assert made["name"] == "Sync"
    assert made["redirect_uris"] == CALLBACKS
    assert made["owner"]["email"] == "member@acme.test"
    (link,) = made["links"]
    assert (link["site_id"], link["host"]) == (people.site_id, "acme.test")
    assert (link["scopes"], link["product_scopes"]) == ([READ], [JIRA])
    app = f"apps/{people.app_id}_{link['environment_id']}"
    url = people.platform.url
    assert link["base_urls"][0] == f"{url}/svc/jira/{people.site_id}/{app}"
    assert link["base_urls"][1].endswith(f"/gateway/api/svc/jira/{app}")
    address = urlsplit(link["authorization_url"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{url}/authorize"
    assert {name: values[0] for name, values in parse_qs(address.query).items()} == {
        "audience": "api.atlassian.com",
        "client_id": made["client_id"],
        "scope": f"{READ} {JIRA} offline_access",
        "redirect_uri": CALLBACKS[0],
        "sns": f"{people.app_id}.{link['environment_id']}",
        "response_type": "code",
        "prompt": "consent",
        "code_challenge": "${YOUR_S256_CHALLENGE}",
        "code_challenge_method": "S256",
        "state": "${YOUR_USER_BOUND_VALUE}",
    }
    assert "%20" in address.query
    assert "+" not in address.query


def test_the_secret_is_told_once(people: People) -> None:
    made = answer(people.create(), 201)
    secret = made.pop("client_secret")
    shown = people.member.get(f"/integrations/{made['client_id']}")
    assert answer(shown, 200) == made
    assert secret not in shown.text
    listed = people.member.get("/integrations")
    assert made in answer(listed, 200)["items"]
    assert secret not in listed.text


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"site": "beta.test"}, 404, "not_found"),
        ({"site": "nowhere.test"}, 404, "not_found"),
        ({"environment": "production"}, 404, "not_found"),
        ({"environment": "nonsense"}, 404, "not_found"),
        ({"app_id": "00000000-0000-4000-8000-000000000000"}, 404, "not_found"),
        ({"scopes": []}, 422, "invalid_input"),
        ({"scopes": [JIRA]}, 422, "invalid_input"),
        ({"scopes": ["write:employee:custom"]}, 422, "invalid_input"),
        ({"scopes": [READ] * 21}, 422, "invalid_input"),
        ({"product_scopes": ["read:forge-app:confluence"]}, 422, "invalid_input"),
        ({"product_scopes": [READ]}, 422, "invalid_input"),
        ({"scopes": "x"}, 422, "invalid_input"),
        ({"more": 1}, 422, "invalid_input"),
    ],
)
def test_a_link_needs_an_installed_app_and_its_registered_scopes(
    people: People, changes: dict[str, Any], status: int, reason: str
) -> None:
    refused(people.create(link=people.link(**changes)), status, reason)


def test_only_members_of_the_site_may_link_to_its_apps(people: People) -> None:
    """Contract section (f.1): the developer of the app is no member here."""
    for stranger in (people.outsider, people.developer):
        refused(people.create(stranger), 404, "not_found")


@pytest.mark.parametrize(
    "callbacks",
    [
        [],
        ["http://client.test/cb"],
        ["javascript:alert(1)"],
        [CALLBACKS[0], CALLBACKS[0]],
        [f"https://client.test/{n}" for n in range(11)],
    ],
)
def test_callback_urls_are_checked(people: People, callbacks: list[str]) -> None:
    refused(people.create(redirect_uris=callbacks), 422, "invalid_input")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\u202eb", "a\nb"])
def test_names_are_checked(people: People, name: str) -> None:
    refused(people.create(name=name), 422, "invalid_input")


def test_name_and_callbacks_change_and_the_url_with_them(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    path = f"/integrations/{client_id}"
    other = ["http://localhost:9876/callback"]
    changed = answer(
        people.member.patch(path, json={"name": "  New   name ", "redirect_uris": other}), 200
    )
    assert (changed["name"], changed["redirect_uris"]) == ("New name", other)
    assert "localhost%3A9876" in changed["links"][0]["authorization_url"]
    assert answer(people.member.patch(path, json={}), 200) == changed
    refused(people.member.patch(path, json={"redirect_uris": []}), 422, "invalid_input")
    refused(people.member.patch(path, json={"owner": "x"}), 422, "invalid_input")


@pytest.mark.parametrize("rule", ["require_dpop", "require_par"])
def test_a_rule_holds_from_the_start_or_later(people: People, rule: str) -> None:
    assert answer(people.create(), 201)[rule] is False
    made = answer(people.create(**{rule: True}), 201)
    assert made[rule] is True
    path = f"/integrations/{made['client_id']}"
    for wanted in (False, True):
        assert answer(people.member.patch(path, json={rule: wanted}), 200)
        assert answer(people.member.get(path), 200)[rule] is wanted
    assert answer(people.member.patch(path, json={"name": "Other"}), 200)[rule] is True
    refused(people.other.patch(path, json={rule: False}), 404, "not_found")
    refused(people.member.patch(path, json={rule: "maybe"}), 422, "invalid_input")


def test_links_are_changed_and_removed(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    links = f"/integrations/{client_id}/links"
    narrowed = answer(people.member.put(links, json=people.link(product_scopes=[])), 200)
    assert len(narrowed["links"]) == 1
    assert narrowed["links"][0]["product_scopes"] == []
    place = {"site": "ACME.test", "app_id": people.app_id, "environment": "development"}
    answer(people.member.delete(links, params=place), 204)
    assert answer(people.member.get(f"/integrations/{client_id}"), 200)["links"] == []
    refused(people.member.delete(links, params=place), 404, "not_found")


def test_secrets_rotate_with_overlap(people: People) -> None:
    made = answer(people.create(), 201)
    path = f"/integrations/{made['client_id']}/secrets"
    refused(people.member.delete(f"{path}/previous"), 409, "conflict")
    second = answer(people.member.post(path), 201)["client_secret"]
    assert second != made["client_secret"]
    refused(people.member.post(path), 409, "conflict")
    shown = answer(people.member.get(f"/integrations/{made['client_id']}"), 200)
    assert shown["live_secrets"] == 2
    answer(people.member.delete(f"{path}/previous"), 204)
    answer(people.member.post(path), 201)


def test_only_its_maker_manages_an_integration(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    path = f"/integrations/{client_id}"
    place = {"site": "acme.test", "app_id": people.app_id, "environment": "development"}
    calls = [
        ("PATCH", path, {"json": {"name": "Mine"}}),
        ("PUT", f"{path}/links", {"json": people.link()}),
        ("POST", f"{path}/secrets", {}),
        ("DELETE", f"{path}/secrets/previous", {}),
    ]
    ends = [
        ("GET", path, {}),
        ("DELETE", f"{path}/links", {"params": place}),
        ("DELETE", path, {}),
    ]
    for stranger in (people.other, people.outsider, people.developer):
        for method, address, more in calls + ends:
            refused(stranger.request(method, address, **more), 404, "not_found")
    for method, address, more in calls:
        refused(people.admin.request(method, address, **more), 404, "not_found")
    for unknown in ("x", "00000000-0000-4000-8000-000000000000"):
        refused(people.member.get(f"/integrations/{unknown}"), 404, "not_found")


def test_an_admin_of_a_linked_site_sees_it_and_can_end_it(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    path = f"/integrations/{client_id}"
    assert answer(people.admin.get(path), 200)["owner"]["email"] == "member@acme.test"
    listed = answer(people.admin.get("/admin/sites/acme.test/integrations"), 200)["items"]
    assert client_id in [each["client_id"] for each in listed]
    refused(people.member.get("/admin/sites/acme.test/integrations"), 403, "not_allowed")
    refused(people.outsider.get("/admin/sites/acme.test/integrations"), 404, "not_found")
    consent(people, client_id)
    answer(people.admin.delete(path), 204)
    refused(people.member.get(path), 404, "not_found")
    refused(people.admin.delete(path), 404, "not_found")
    mine = answer(people.member.get("/grants"), 200)["items"]
    assert client_id not in [each["client_id"] for each in mine]
    events = people.platform.act(
        people.platform.services.store.read(audited, "integration:revoked", "grant:revoked")
    )
    assert {"integration:revoked", "grant:revoked"} <= set(events)


def test_an_account_lists_and_ends_its_consents(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    consent(people, client_id)
    (mine,) = [
        each
        for each in answer(people.member.get("/grants"), 200)["items"]
        if each["client_id"] == client_id
    ]
    assert mine["integration_name"] == "Sync"
    assert (mine["host"], mine["app_name"], mine["environment"]) == (
        "acme.test",
        "People",
        "development",
    )
    assert mine["scopes"] == [READ, JIRA]
    path = f"/grants/{mine['grant_id']}"
    for stranger in (people.other, people.outsider, people.admin):
        refused(stranger.delete(path), 404, "not_found")
    answer(people.member.delete(path), 204)
    refused(people.member.delete(path), 404, "not_found")


def test_a_site_admin_lists_and_ends_consents_on_the_site(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    consent(people, client_id)
    listed = answer(people.admin.get("/admin/sites/acme.test/grants"), 200)["items"]
    (found,) = [each for each in listed if each["client_id"] == client_id]
    assert found["account_email"] == "member@acme.test"
    path = f"/admin/sites/acme.test/grants/{found['grant_id']}"
    refused(people.member.delete(path), 403, "not_allowed")
    refused(people.outsider.delete(path), 404, "not_found")
    elsewhere = f"/admin/sites/beta.test/grants/{found['grant_id']}"
    refused(people.outsider.delete(elsewhere), 404, "not_found")
    answer(people.admin.delete(path), 204)
    refused(people.admin.delete(path), 404, "not_found")


def test_an_account_has_a_bounded_number_of_integrations(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = len(answer(people.member.get("/integrations"), 200)["items"])
    monkeypatch.setattr(integrations, "MOST_OF_ONE_ACCOUNT", held)
    refused(people.create(), 409, "conflict")


def test_strangers_without_credentials_get_nothing(people: People) -> None:
    with people.platform.client() as anonymous:
        for path in ("/integrations", "/grants", "/admin/sites/acme.test/grants"):
            refused(anonymous.get(path), 401, "not_signed_in")
        refused(people.create(anonymous), 401, "not_signed_in")


def test_a_client_is_confidential_public_or_forge_compatible(people: People) -> None:
    made = answer(people.create(), 201)
    assert (made["kind"], made["forge_compatible"]) == ("confidential", False)
    assert "code_challenge_method=S256" in made["links"][0]["authorization_url"]
    forge = answer(people.create(forge_compatible=True), 201)
    assert forge["forge_compatible"] is True
    assert "code_challenge" not in forge["links"][0]["authorization_url"]

    public = answer(people.create(public=True), 201)
    assert (public["kind"], public["live_secrets"]) == ("public", 0)
    assert "client_secret" not in public
    refused(people.member.post(f"/integrations/{public['client_id']}/secrets"), 409, "conflict")
    refused(people.create(public=True, forge_compatible=True), 422, "invalid_input")


def test_optional_scopes_are_some_of_the_links(people: People) -> None:
    wanted = people.link(optional_scopes=[JIRA])
    made = answer(people.create(link=wanted), 201)
    (link,) = made["links"]
    assert link["optional_scopes"] == [JIRA]
    links = f"/integrations/{made['client_id']}/links"
    changed = answer(people.member.put(links, json=people.link(optional_scopes=[READ])), 200)
    assert changed["links"][0]["optional_scopes"] == [READ]
    body = refused(
        people.member.put(links, json=people.link(product_scopes=[], optional_scopes=[JIRA])),
        422,
        "invalid_input",
    )
    assert JIRA in body["detail"]
    assert (
        answer(people.member.put(links, json=people.link()), 200)["links"][0]["optional_scopes"]
        == []
    )
