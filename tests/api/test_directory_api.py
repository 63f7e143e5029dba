"""Provisioning over HTTP: organizations, products, sites, people and their roles."""

from __future__ import annotations

from sallyport.vocab.ids import new_id
from serving import OPERATOR_EMAIL, Platform, audit, login, refused

PROVISIONING = [
    ("GET", "/operator/platform", None),
    ("GET", "/operator/organizations", None),
    ("POST", "/operator/organizations", {"name": "Evil"}),
    ("GET", "/operator/products", None),
    ("POST", "/operator/products", {"key": "evil", "name": "Evil"}),
    ("PATCH", "/operator/products/jira", {"upstream": "https://evil.test"}),
    ("GET", "/operator/sites", None),
    (
        "POST",
        "/operator/sites",
        {"organization_id": new_id(), "host": "evil.test", "name": "Evil", "products": ["jira"]},
    ),
    ("GET", "/operator/keys", None),
    ("POST", "/operator/keys", {"now": True}),
    ("DELETE", "/operator/keys/x", None),
    ("GET", "/operator/accounts", None),
    ("POST", "/operator/accounts", {"email": "evil@acme.test", "name": "Evil", "operator": True}),
    ("PATCH", f"/operator/accounts/{OPERATOR_EMAIL}", {"password": "taken over now"}),
    ("POST", f"/operator/accounts/{OPERATOR_EMAIL}/api-tokens", {"label": "evil"}),
    ("GET", "/operator/sites/acme.test/members", None),
    ("PUT", "/operator/sites/acme.test/members/ada@acme.test", {"role": "admin"}),
    ("DELETE", "/operator/sites/acme.test/members/ada@acme.test", None),
    ("GET", "/operator/organizations/{organization}/admins", None),
    ("PUT", "/operator/organizations/{organization}/admins/ada@acme.test", None),
    ("DELETE", "/operator/organizations/{organization}/admins/ada@acme.test", None),
    ("GET", "/operator/audit", None),
    ("GET", "/operator/audit/export", None),
    ("PUT", f"/operator/integrations/{new_id()}/verified", None),
    ("DELETE", f"/operator/integrations/{new_id()}/verified", None),
]


def test_every_operator_endpoint_refuses_everybody_else(platform: Platform) -> None:
    api = platform.operator.get("/openapi.json").json()
    declared = {
        (method.upper(), path)
        for path, methods in api["paths"].items()
        if path.startswith("/operator")
        for method in methods
    }
    assert len(PROVISIONING) == len(declared), "a new endpoint needs its row here"
    with platform.make_account("ada@acme.test") as ada, platform.client() as stranger:
        platform.make_site("acme.test", admins=["ada@acme.test"])
        platform.operator.put(
            f"/operator/organizations/{platform.organization_id}/admins/ada@acme.test"
        )
        before = audit(platform)
        for method, path, body in PROVISIONING:
            url = path.format(organization=platform.organization_id)
            refused(ada.request(method, url, json=body), 403, "not_allowed")
            refused(stranger.request(method, url, json=body), 401, "not_signed_in")
        assert audit(platform) == before


def test_an_operator_sees_how_the_platform_stands(platform: Platform) -> None:
    platform.make_site("acme.test")
    found = platform.operator.get("/operator/platform").json()
    assert found["counts"] == {
        "organizations": 1,
        "sites": 1,
        "accounts": 1,
        "apps": 0,
        "installations": 0,
        "integrations": 0,
        "calls": 0,
        "refused": 0,
    }
    # Only the whole platform has processes and settings; see tests/journeys.
    assert found["processes"] == found["limits"] == []


def test_an_operator_that_is_none_any_more_is_refused_at_once(platform: Platform) -> None:
    with platform.make_account("second@acme.test", operator=True) as second:
        assert second.get("/operator/sites").status_code == 200
        changed = platform.operator.patch(
            "/operator/accounts/second@acme.test", json={"operator": False}
        )
        assert changed.json()["operator"] is False
        refused(second.get("/operator/sites"), 403, "not_allowed")


def test_the_last_operator_stays(platform: Platform) -> None:
    for change in ({"operator": False}, {"active": False}):
        answer = platform.operator.patch(f"/operator/accounts/{OPERATOR_EMAIL}", json=change)
        refused(answer, 409, "conflict")
    platform.make_account("second@acme.test", operator=True).close()
    answer = platform.operator.patch(f"/operator/accounts/{OPERATOR_EMAIL}", json={"active": False})
    assert answer.status_code == 200
    refused(platform.operator.get("/me"), 401, "credentials_invalid")


def test_a_site_is_made_once_with_declared_products(platform: Platform) -> None:
    site = platform.make_site("Acme.Test")
    assert site["host"] == "acme.test"
    assert site["products"] == ["confluence", "jira"]
    port = platform.url.rpartition(":")[2]
    assert site["site_url"] == f"http://acme.test:{port}"
    given = {
        "organization_id": platform.organization_id,
        "host": "other.test",
        "name": "Other",
        "products": ["jira"],
    }
    operator = platform.operator
    for change, status, reason in (
        ({"host": "ACME.test"}, 409, "already_exists"),
        ({"host": "acme.test:80"}, 422, "invalid_input"),
        ({"host": "http://acme.test"}, 422, "invalid_input"),
        ({"products": ["crm"]}, 422, "invalid_input"),
        ({"products": []}, 422, "invalid_input"),
        ({"organization_id": new_id()}, 404, "not_found"),
        ({"organization_id": "x"}, 404, "not_found"),
        ({"name": " "}, 422, "invalid_input"),
    ):
        refused(operator.post("/operator/sites", json={**given, **change}), status, reason)
    assert (
        operator.post("/operator/products", json={"key": "crm", "name": "CRM"}).status_code == 201
    )
    again = operator.post("/operator/products", json={"key": "crm", "name": "CRM"})
    refused(again, 409, "already_exists")
    made = operator.post("/operator/sites", json={**given, "products": ["crm", "jira", "crm"]})
    assert made.json()["products"] == ["crm", "jira"]
    keys = [each["key"] for each in operator.get("/operator/products").json()["items"]]
    assert keys == ["confluence", "crm", "jira"]
    hosts = [each["host"] for each in operator.get("/operator/sites").json()["items"]]
    assert hosts == ["acme.test", "other.test"]


def test_members_come_change_and_go(platform: Platform) -> None:
    with platform.make_account("ada@acme.test", "Ada") as ada:
        site = platform.make_site("acme.test", members=["ada@acme.test"])
        account_id = ada.get("/me").json()["account_id"]
        assert ada.get("/sites/acme.test").json()["role"] == "member"
        assert ada.get(f"/sites/{site['site_id']}").json()["role"] == "member"
        members = f"/operator/sites/{site['site_id']}/members"
        put = platform.operator.put(f"{members}/{account_id}", json={"role": "admin"})
        assert put.json() == {
            "account_id": account_id,
            "email": "ada@acme.test",
            "name": "Ada",
            "role": "admin",
        }
        assert ada.get("/me").json()["sites"] == [
            {"site_id": site["site_id"], "host": "acme.test", "name": "Acme", "role": "admin"}
        ]
        assert platform.operator.get(members).json()["items"] == [put.json()]
        bad = platform.operator.put(f"{members}/{account_id}", json={"role": "owner"})
        refused(bad, 422, "invalid_input")
        gone = platform.operator.delete(f"{members}/ada@acme.test")
        assert (gone.status_code, gone.content) == (204, b"")
        refused(platform.operator.delete(f"{members}/ada@acme.test"), 404, "not_found")
        refused(ada.get("/sites/acme.test"), 404, "not_found")
        events = [event for event, _by, _of in audit(platform) if event.startswith("membership")]
        assert events == ["membership:set", "membership:set", "membership:ended"]


def test_an_org_admin_is_admin_of_each_of_its_sites_and_of_no_other(platform: Platform) -> None:
    platform.make_site("one.test")
    platform.make_site("two.test")
    other = platform.operator.post("/operator/organizations", json={"name": "Other"}).json()
    platform.make_site("three.test", organization_id=other["id"])
    with platform.make_account("ada@acme.test") as ada:
        admins = f"/operator/organizations/{platform.organization_id}/admins"
        for _ in range(2):
            assert platform.operator.put(f"{admins}/ada@acme.test").status_code == 200
        assert [(each["host"], each["role"]) for each in ada.get("/sites").json()["items"]] == [
            ("one.test", "admin"),
            ("two.test", "admin"),
        ]
        listed = platform.operator.get(admins).json()["items"]
        assert [each["email"] for each in listed] == ["ada@acme.test"]
        assert platform.operator.delete(f"{admins}/ada@acme.test").status_code == 204
        refused(platform.operator.delete(f"{admins}/ada@acme.test"), 404, "not_found")
        assert ada.get("/sites").json() == {"items": []}


def test_a_site_of_others_reads_like_no_site_at_all(platform: Platform) -> None:
    site = platform.make_site("acme.test")
    with platform.make_account("eve@acme.test") as eve:
        answers = [
            eve.get(f"/sites/{each}")
            for each in (site["site_id"], "acme.test", "none.test", new_id())
        ]
    for answer in answers:
        refused(answer, 404, "not_found")
    assert len({answer.text for answer in answers}) == 1


def test_accounts_are_made_changed_and_listed(platform: Platform) -> None:
    operator = platform.operator
    made = operator.post(
        "/operator/accounts", json={"email": "Ada@Acme.test", "name": "Ada"}
    ).json()
    assert made["email"] == "ada@acme.test"
    with platform.client() as stranger:
        assert login(stranger, "ada@acme.test", made["password"]).status_code == 201
        given = {"email": "ada@ACME.test", "name": "Eve"}
        refused(operator.post("/operator/accounts", json=given), 409, "already_exists")
        short = {"email": "eve@acme.test", "name": "Eve", "password": "short"}
        refused(operator.post("/operator/accounts", json=short), 422, "invalid_input")
        account = f"/operator/accounts/{made['account_id']}"
        set_password = operator.patch(account, json={"password": "set by the operator"})
        assert "password" not in set_password.json()
        assert login(stranger, "ada@acme.test", "set by the operator").status_code == 201
    assert [each["email"] for each in operator.get("/operator/accounts").json()["items"]] == [
        "ada@acme.test",
        OPERATOR_EMAIL,
    ]
    refused(operator.patch(f"/operator/accounts/{new_id()}", json={}), 404, "not_found")
    refused(operator.patch("/operator/accounts/nobody@acme.test", json={}), 404, "not_found")


def test_a_deactivated_account_is_out_at_once(platform: Platform) -> None:
    with platform.make_account("ada@acme.test") as ada:
        assert ada.get("/me").status_code == 200
        account = "/operator/accounts/ada@acme.test"
        assert platform.operator.patch(account, json={"active": False}).json()["active"] is False
        refused(ada.get("/me"), 401, "credentials_invalid")
        token = platform.operator.post(f"{account}/api-tokens", json={"label": "x"})
        refused(token, 409, "conflict")
        assert platform.operator.patch(account, json={"active": True}).json()["active"] is True
        refused(ada.get("/me"), 401, "credentials_invalid")


def test_the_operator_says_where_the_apis_of_a_product_are(platform: Platform) -> None:
    operator = platform.operator
    new = {"key": "crm", "name": "CRM", "upstream": "https://CRM.Internal:443/api/"}
    made = operator.post("/operator/products", json=new)
    assert made.json() == {"key": "crm", "name": "CRM", "upstream": "https://crm.internal/api"}
    for change, expected in (
        ({"upstream": "http://10.0.0.1:8080"}, ("CRM", "http://10.0.0.1:8080")),
        ({"name": "Our CRM"}, ("Our CRM", "http://10.0.0.1:8080")),
        ({"upstream": ""}, ("Our CRM", None)),
    ):
        changed = operator.patch("/operator/products/crm", json=change)
        assert changed.status_code == 200, changed.text
        assert (changed.json()["name"], changed.json()["upstream"]) == expected
    refused(
        operator.patch("/operator/products/crm", json={"upstream": "file:///etc"}),
        422,
        "invalid_input",
    )
    refused(operator.patch("/operator/products/none", json={"name": "None"}), 404, "not_found")
    events = [event for event, _, subject in audit(platform) if subject == "crm"]
    assert events == ["product:declared", *["product:changed"] * 3]
