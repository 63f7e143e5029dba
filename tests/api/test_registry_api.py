"""Apps, environments, deployments, installations and the switch, over the control API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from app_folder import HANDLER, READ, WRITE, manifest, upload

from serving import serving


@dataclass(frozen=True)
class People:
    """A developer, and the people of one site: its admin, a member; and one of another site."""

    developer: httpx.Client
    admin: httpx.Client
    member: httpx.Client
    outsider: httpx.Client
    site_id: str
    host: str


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    names = ("developer", "admin", "member", "outsider")
    with serving(tmp_path_factory.mktemp("platform")) as platform, ExitStack() as closing:
        assert platform.claim().status_code == 201
        closing.enter_context(platform.operator)
        made = {
            name: closing.enter_context(
                platform.make_account(f"{name}@acme.test", name=name.title())
            )
            for name in names
        }
        site = platform.make_site(
            "acme.test", admins=["admin@acme.test"], members=["member@acme.test"]
        )
        platform.make_site("other.test", admins=["outsider@acme.test"])
        yield People(**made, site_id=site["site_id"], host="acme.test")


def answer(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    return response.json() if response.content else None


def refused(response: httpx.Response, status: int, reason: str) -> Any:
    body = answer(response, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert body["reason"] == reason, body
    return body


def register(people: People) -> Any:
    return answer(people.developer.post("/apps", json={"name": "People"}), 201)


def environment_of(app: Any, key: str = "development") -> str:
    return f"/apps/{app['app_id']}/environments/{key}"


def register_scope(people: People, app: Any, name: str = READ, key: str = "development") -> Any:
    body = {"scopes": [{"name": name, "description": "Read the names of employees"}]}
    return answer(
        people.developer.post(f"{environment_of(app, key)}/custom-scopes", json=body), 200
    )


def post_zip(
    client: httpx.Client, app: Any, archive: bytes, key: str = "development", **query: Any
) -> httpx.Response:
    return client.post(
        f"{environment_of(app, key)}/deployments",
        params=query,
        content=archive,
        headers={"Content-Type": "application/zip"},
    )


def deployed(people: People, key: str = "development") -> Any:
    app = register(people)
    register_scope(people, app, key=key)
    answer(post_zip(people.developer, app, upload(manifest(app["app_id"])), key), 201)
    return app


def install(
    people: People, app: Any, client: httpx.Client | None = None, **other: str
) -> httpx.Response:
    wanted = {
        "app_id": app["app_id"],
        "environment": "development",
        "site": people.host,
        "product": "jira",
        **other,
    }
    return (client or people.admin).post("/installations", json=wanted)


def switch_path(people: People, app: Any, site: str | None = None) -> str:
    return f"/admin/sites/{site or people.site_id}{environment_of(app)}/rest-apis"


def test_a_registered_app_has_an_ari_and_three_environments(people: People) -> None:
    app = register(people)
    assert app["ari"] == f"ari:cloud:ecosystem::app/{app['app_id']}"
    assert [(e["key"], e["type"], e["live_version"]) for e in app["environments"]] == [
        ("development", "DEVELOPMENT", None),
        ("staging", "STAGING", None),
        ("production", "PRODUCTION", None),
    ]
    assert app in answer(people.developer.get("/apps"), 200)["items"]
    assert answer(people.developer.get(f"/apps/{app['app_id']}"), 200) == app


def test_an_app_is_not_found_by_those_who_have_no_part_in_it(people: People) -> None:
    app = register(people)
    for path in ("", "/members", "/environments", "/environments/development/variables"):
        refused(people.outsider.get(f"/apps/{app['app_id']}{path}"), 404, "not_found")
    assert answer(people.outsider.get("/apps"), 200)["items"] == []


@pytest.mark.parametrize("name", ["", "   ", "a\u202eb", "a\nb", "x" * 101])
def test_an_app_name_that_misleads_is_refused(people: People, name: str) -> None:
    refused(people.developer.post("/apps", json={"name": name}), 422, "invalid_input")


def test_contributors_deploy_but_not_to_production_and_register_no_scopes(people: People) -> None:
    app = register(people)
    for key in ("development", "production"):
        register_scope(people, app, key=key)
    members = f"/apps/{app['app_id']}/members"
    made = answer(
        people.developer.put(f"{members}/Member@acme.test", json={"role": "contributor"}), 200
    )
    assert made["role"] == "contributor"
    archive = upload(manifest(app["app_id"]))
    answer(post_zip(people.member, app, archive), 201)
    refused(post_zip(people.member, app, archive, "production"), 403, "not_allowed")
    scope = {"scopes": [{"name": WRITE, "description": "Write"}]}
    path = f"{environment_of(app)}/custom-scopes"
    refused(people.member.post(path, json=scope), 403, "not_allowed")
    variable = {"value": "1", "secret": False}
    production = f"{environment_of(app, 'production')}/variables/KEY"
    refused(people.member.put(production, json=variable), 403, "not_allowed")
    refused(
        people.member.put(f"{members}/outsider@acme.test", json={"role": "admin"}),
        403,
        "not_allowed",
    )
    answer(people.developer.delete(f"{members}/member@acme.test"), 204)
    refused(post_zip(people.member, app, archive), 404, "not_found")


def test_the_last_admin_of_an_app_stays(people: People) -> None:
    app = register(people)
    path = f"/apps/{app['app_id']}/members/developer@acme.test"
    refused(people.developer.delete(path), 409, "conflict")
    refused(people.developer.put(path, json={"role": "contributor"}), 409, "conflict")


def test_environments_are_created_and_deleted_and_built_in_ones_stay(people: People) -> None:
    app = register(people)
    path = f"/apps/{app['app_id']}/environments"
    made = answer(people.developer.post(path, json={"key": "qa-1"}), 201)
    assert (made["key"], made["type"]) == ("qa-1", "DEVELOPMENT")
    refused(people.developer.post(path, json={"key": "qa-1"}), 409, "already_exists")
    keys = [e["key"] for e in answer(people.developer.get(path), 200)["items"]]
    assert keys == ["development", "staging", "production", "qa-1"]
    answer(people.developer.delete(f"{path}/qa-1"), 204)
    refused(people.developer.delete(f"{path}/staging"), 409, "conflict")
    body = refused(people.developer.delete(f"{path}/qa-1"), 404, "not_found")
    assert body["detail"] == (
        "Environment with name qa-1 not defined. Create this environment with "
        "sallyport environments create -e qa-1 before proceeding."
    )


@pytest.mark.parametrize("key", ["", "-a", "A", "a_b", "a b", "x" * 31, "é"])
def test_a_bad_environment_name_is_refused_in_the_contracts_words(people: People, key: str) -> None:
    app = register(people)
    response = people.developer.post(f"/apps/{app['app_id']}/environments", json={"key": key})
    assert refused(response, 422, "invalid_input")["detail"] == "Invalid environment name"


def test_secret_variables_are_never_shown_again(people: People) -> None:
    app = register(people)
    path = f"{environment_of(app)}/variables"
    put = people.developer.put
    shown = answer(put(f"{path}/REGION", json={"value": "eu", "secret": False}), 200)
    assert shown == {"key": "REGION", "value": "eu", "secret": False}
    hidden = answer(put(f"{path}/TOKEN", json={"value": "hunter2", "secret": True}), 200)
    assert hidden == {"key": "TOKEN", "value": None, "secret": True}
    assert answer(people.developer.get(path), 200)["items"] == [shown, hidden]
    answer(people.developer.delete(f"{path}/TOKEN"), 204)
    refused(people.developer.delete(f"{path}/TOKEN"), 404, "not_found")


@pytest.mark.parametrize(
    ("key", "value"),
    [("1A", "x"), ("A-B", "x"), ("K" * 129, "x"), ("K", "x" * 16385), ("K", "é" * 8193)],
)
def test_a_variable_beyond_the_limits_is_refused(people: People, key: str, value: str) -> None:
    app = register(people)
    path = f"{environment_of(app)}/variables/{key}"
    refused(people.developer.put(path, json={"value": value}), 422, "invalid_input")


def test_scopes_are_added_and_reworded_but_never_taken_away(people: People) -> None:
    app = register(people)
    done = {"registered": [READ], "changed": [], "unchanged": []}
    assert register_scope(people, app) == done
    assert register_scope(people, app) == {**done, "registered": [], "unchanged": [READ]}
    scopes = {"scopes": [{"name": WRITE, "description": "Change names", "display_name": "Write"}]}
    path = f"{environment_of(app)}/custom-scopes"
    assert answer(people.developer.post(path, json=scopes), 200)["registered"] == [WRITE]
    listed = answer(people.developer.get(path), 200)["items"]
    assert [(s["name"], s["display_name"]) for s in listed] == [(READ, None), (WRITE, "Write")]
    refused(people.developer.delete(path), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "scope",
    [
        {"name": "read:employee", "description": "x"},
        {"name": f"{'a' * 94}:custom", "description": "x"},
        {"name": READ, "description": ""},
        {"name": READ, "description": " x"},
        {"name": READ, "description": "x" * 2049},
        {"name": READ, "description": "x", "display_name": "y" * 101},
        {"name": READ, "description": "x", "display_name": " y"},
        {"name": READ, "description": "x\u202ey"},
        {"name": READ, "description": "x\u0007y"},
    ],
)
def test_a_scope_that_breaks_a_rule_is_refused(people: People, scope: dict[str, str]) -> None:
    """Contract section (c.1), on the server."""
    app = register(people)
    path = f"{environment_of(app)}/custom-scopes"
    body = refused(people.developer.post(path, json={"scopes": [scope]}), 422, "scopes_invalid")
    assert body["errors"]


def test_an_environment_takes_twenty_scopes_with_those_registered_before(people: People) -> None:
    app = register(people)
    path = f"{environment_of(app)}/custom-scopes"

    def scopes(first: int, count: int) -> dict[str, Any]:
        names = [f"read:n{n}:custom" for n in range(first, first + count)]
        return {"scopes": [{"name": name, "description": "x"} for name in names]}

    refused(people.developer.post(path, json=scopes(0, 21)), 422, "scopes_invalid")
    refused(people.developer.post(path, json=scopes(0, 0)), 422, "scopes_invalid")
    answer(people.developer.post(path, json=scopes(0, 20)), 200)
    refused(people.developer.post(path, json=scopes(20, 1)), 422, "scopes_invalid")
    answer(people.developer.post(path, json=scopes(5, 3)), 200)


def test_a_route_whose_scope_is_not_registered_does_not_deploy(people: People) -> None:
    """Contract section (c.4)."""
    app = register(people)
    register_scope(people, app, WRITE)
    archive = upload(manifest(app["app_id"]))
    body = refused(post_zip(people.developer, app, archive), 422, "CUSTOM_SCOPES_NOT_AVAILABLE")
    assert body["detail"] == (
        "Deployment failed due to missing scopes. Contact your admin to register the missing "
        f"scopes, then try again. (requestId: {body['request_id']})"
    )
    assert body["missing_scopes"] == [READ]
    register_scope(people, app, key="staging")
    refused(post_zip(people.developer, app, archive), 422, "CUSTOM_SCOPES_NOT_AVAILABLE")
    assert answer(people.developer.get(f"{environment_of(app)}/deployments"), 200) == {"items": []}


def test_versions_are_numbered_and_a_major_one_wants_approval(people: People) -> None:
    """Contract section (k)."""
    app = register(people)
    register_scope(people, app)
    plain = upload(manifest(app["app_id"]))
    wider = upload(manifest(app["app_id"], extra="permissions:\n  scopes:\n    - read:jira-work\n"))
    first = answer(post_zip(people.developer, app, plain, tag="first"), 201)
    assert (first["version"], first["major"], first["tag"]) == ("1.1", False, "first")
    assert answer(post_zip(people.developer, app, plain), 201)["version"] == "1.2"
    body = refused(post_zip(people.developer, app, wider), 409, "MAJOR_VERSION_RULE")
    assert body["reasons"] == ["permissions.scopes adds read:jira-work"]
    refused(post_zip(people.developer, app, wider, approve="ALL"), 422, "invalid_input")
    approved = post_zip(people.developer, app, wider, approve="MAJOR_VERSION_RULE")
    assert answer(approved, 201)["major"] is True
    listed = answer(people.developer.get(f"{environment_of(app)}/deployments"), 200)["items"]
    assert [(v["version"], v["live"]) for v in listed] == [
        ("2.0", True),
        ("1.2", True),
        ("1.1", False),
    ]
    assert listed[0]["bundle"] != listed[1]["bundle"] == listed[2]["bundle"]
    shown = answer(people.developer.get(f"/apps/{app['app_id']}"), 200)["environments"]
    assert [e["live_version"] for e in shown] == ["2.0", None, None]


def test_all_findings_of_a_bad_manifest_come_back_with_their_places(people: People) -> None:
    app = register(people)
    text = manifest(app["app_id"]).replace("GET", "FETCH").replace("operation", "method")
    body = refused(post_zip(people.developer, app, upload(text)), 422, "manifest_invalid")
    messages = [d["message"] for d in body["diagnostics"]]
    assert "apiRoute must have required property 'operation'" in messages
    assert "apiRoute should NOT have additional property 'method'" in messages
    assert all(d["line"] > 0 and d["column"] > 0 for d in body["diagnostics"])


def test_a_handler_file_that_was_not_uploaded_is_a_finding(people: People) -> None:
    app = register(people)
    archive = upload(manifest(app["app_id"]), {"src/other.py": HANDLER})
    body = refused(post_zip(people.developer, app, archive), 422, "manifest_invalid")
    assert "cannot find associated file" in body["diagnostics"][0]["message"]


def test_the_manifest_of_another_app_does_not_deploy(people: People) -> None:
    app, other = register(people), register(people)
    register_scope(people, app)
    archive = upload(manifest(other["app_id"]))
    assert (
        app["ari"]
        in refused(post_zip(people.developer, app, archive), 422, "manifest_invalid")["fix"]
    )


@pytest.mark.parametrize("archive", [b"", b"PK\x05\x06", b"not a zip", b"PK\x03\x04" + b"\0" * 99])
def test_what_is_no_archive_does_not_deploy(people: People, archive: bytes) -> None:
    app = register(people)
    refused(post_zip(people.developer, app, archive), 422, "bundle_invalid")


def test_an_archive_that_reaches_outside_does_not_deploy(people: People) -> None:
    app = register(people)
    register_scope(people, app)
    files = {"src/index.py": HANDLER, "../outside.py": "x"}
    archive = upload(manifest(app["app_id"]), files)
    refused(post_zip(people.developer, app, archive), 422, "bundle_invalid")
    assert answer(people.developer.get(f"{environment_of(app)}/deployments"), 200) == {"items": []}


def test_a_deployment_that_is_not_called_a_zip_is_refused(people: People) -> None:
    app = register(people)
    path = f"{environment_of(app)}/deployments"
    refused(people.developer.post(path, json={}), 415, "media_type_unsupported")


def test_an_installation_shows_where_it_runs_and_how_to_reach_it(people: People) -> None:
    app = deployed(people)
    item = answer(install(people, app), 201)
    environment_id = app["environments"][0]["environment_id"]
    assert item["title"] == "People (DEVELOPMENT)"
    assert (item["version"], item["rest_apis_enabled"]) == ("1.1", False)
    tail = f"apps/{app['app_id']}_{environment_id}"
    by_id, by_host = item["base_urls"]
    assert by_id.endswith(f"/svc/jira/{people.site_id}/{tail}")
    assert f"//{people.host}" in by_host
    assert by_host.endswith(f"/gateway/api/svc/jira/{tail}")
    for client in (people.developer, people.admin, people.member):
        mine = client.get("/installations", params={"app_id": app["app_id"]})
        assert answer(mine, 200)["items"] == [item]
    for query in ({"site": people.host}, {"app_id": app["app_id"]}, {}):
        assert answer(people.outsider.get("/installations", params=query), 200)["items"] == []
    refused(install(people, app), 409, "already_exists")


def test_only_an_admin_of_the_site_installs_upgrades_and_uninstalls(people: People) -> None:
    app = deployed(people)
    refused(install(people, app, people.member), 403, "not_allowed")
    for client in (people.developer, people.outsider):
        refused(install(people, app, client), 404, "not_found")
    path = f"/installations/{answer(install(people, app), 201)['installation_id']}"
    for client, status in ((people.member, 403), (people.developer, 404), (people.outsider, 404)):
        for response in (client.post(f"{path}/upgrade"), client.delete(path)):
            assert response.status_code == status
    answer(people.admin.delete(path), 204)
    refused(people.admin.delete(path), 404, "not_found")


def test_what_cannot_be_installed_says_why(people: People) -> None:
    app = register(people)
    empty = refused(install(people, app), 409, "conflict")
    assert empty["detail"] == "Nothing is deployed to development yet."
    app = deployed(people)
    refused(install(people, app, product="crm"), 404, "product_unknown")
    refused(install(people, app, environment="qa"), 404, "not_found")
    refused(install(people, app, site="other.test"), 404, "not_found")


def test_minors_arrive_and_majors_wait_for_the_sites_admin(people: People) -> None:
    app = deployed(people)
    path = f"/installations/{answer(install(people, app), 201)['installation_id']}"
    answer(post_zip(people.developer, app, upload(manifest(app["app_id"]))), 201)
    assert answer(people.admin.get(path), 200)["version"] == "1.2"
    wider = upload(manifest(app["app_id"], extra="permissions:\n  scopes:\n    - read:jira-work\n"))
    answer(post_zip(people.developer, app, wider, approve="MAJOR_VERSION_RULE"), 201)
    waiting = answer(people.admin.get(path), 200)
    assert waiting["version"] == "1.2"
    assert (waiting["newest_version"], waiting["upgrade_available"]) == ("2.0", True)
    upgraded = answer(people.admin.post(f"{path}/upgrade"), 200)
    assert (upgraded["version"], upgraded["upgrade_available"]) == ("2.0", False)


def test_the_switch_is_the_sites_admins_and_stands_in_the_audit(people: People) -> None:
    """Contract section (g)."""
    app = deployed(people)
    refused(people.admin.get(switch_path(people, app)), 404, "not_found")
    item = answer(install(people, app), 201)
    path = switch_path(people, app)
    off = answer(people.member.get(path), 200)
    assert (off["enabled"], off["changed_at"], off["changed_by"]) == (False, None, None)
    assert off["base_urls"] == item["base_urls"]
    on = {"enabled": True}
    refused(people.member.put(path, json=on), 403, "not_allowed")
    for client in (people.developer, people.outsider):
        refused(client.put(path, json=on), 404, "not_found")
        refused(client.get(path), 404, "not_found")
    turned = answer(people.admin.put(switch_path(people, app, people.host), json=on), 200)
    assert (turned["enabled"], turned["changed_by_email"]) == (True, "admin@acme.test")
    seen = answer(people.member.get(path), 200)
    assert seen.pop("reach")["checked_at"] >= turned.pop("reach")["checked_at"]
    assert seen == turned
    again = answer(people.admin.put(path, json=on), 200)
    assert {**again, "reach": None} == {**turned, "reach": None}
    answer(people.admin.put(path, json={"enabled": False}), 200)
    audit = f"/admin/sites/{people.host}/audit"
    lines = answer(people.admin.get(audit), 200)["items"]
    mine = [line for line in lines if line["app_id"] == app["app_id"]]
    turns = [line for line in mine if line["event"].startswith("rest-apis:")]
    assert [line["event"] for line in turns] == ["rest-apis:disabled", "rest-apis:enabled"]
    assert {line["account_email"] for line in turns} == {"admin@acme.test"}
    older = people.admin.get(audit, params={"before": turns[0]["id"], "limit": 1})
    assert [line["id"] for line in answer(older, 200)["items"]] == [turns[1]["id"]]
    refused(people.member.get(audit), 403, "not_allowed")
    refused(people.outsider.get(audit), 404, "not_found")


def test_connected_apps_show_their_routes_to_members_of_the_site(people: People) -> None:
    app = deployed(people)
    answer(install(people, app), 201)
    for client in (people.admin, people.member):
        items = answer(client.get(f"/admin/sites/{people.host}/apps"), 200)["items"]
        (item,) = [each for each in items if each["app_id"] == app["app_id"]]
        assert item["routes"] == [
            {"operation": "GET", "path": "/getEmployeeName", "scopes": [READ]}
        ]
    refused(people.outsider.get(f"/admin/sites/{people.host}/apps"), 404, "not_found")


def test_scopes_of_an_app_are_seen_by_members_of_sites_that_installed_it(people: People) -> None:
    app = deployed(people)
    path = f"{environment_of(app)}/custom-scopes"
    refused(people.member.get(path), 404, "not_found")
    answer(install(people, app), 201)
    assert [s["name"] for s in answer(people.member.get(path), 200)["items"]] == [READ]
    refused(people.member.get(f"{environment_of(app, 'staging')}/custom-scopes"), 404, "not_found")
    refused(people.outsider.get(path), 404, "not_found")


def test_uninstalling_forgets_the_switch(people: People) -> None:
    app = deployed(people)
    item = answer(install(people, app), 201)
    answer(people.admin.put(switch_path(people, app), json={"enabled": True}), 200)
    answer(people.admin.delete(f"/installations/{item['installation_id']}"), 204)
    refused(people.admin.get(switch_path(people, app)), 404, "not_found")
    assert answer(install(people, app), 201)["rest_apis_enabled"] is False
