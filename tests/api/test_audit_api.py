"""The audit over the control API: whose business it is, how it is narrowed, paged and exported.

Planted bugs that these tests were seen to fail on: the site's audit given to a member; the row of a
site told to who builds the app with the person; `before` taken as inclusive; the filter by client
looked for in the subject alone; a cell written as it is; no page read before the answer begins.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from test_integrations_api import People, answer, people, refused

__all__ = ["people"]

SITE = "/admin/sites/acme.test/audit"
EXPORT = f"{SITE}/export"


def items(who: httpx.Client, path: str = SITE, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(who.get(path, params=wanted), 200)["items"]
    return found


def organization(people: People) -> str:
    return f"/admin/organizations/{people.platform.organization_id}/audit"


def test_each_reads_what_is_his_business(people: People) -> None:
    people.create()
    app = f"/apps/{people.app_id}/audit"
    paths = (SITE, app, organization(people), "/operator/audit")
    allowed = {
        (people.admin, SITE),
        (people.developer, app),
        (people.platform.operator, "/operator/audit"),
    }
    for who in (people.admin, people.developer, people.member, people.outsider):
        for path in paths:
            expected = 200 if (who, path) in allowed else (403, 404)
            for url in (path, f"{path}/export"):
                status = who.get(url).status_code
                assert status == expected or status in (expected if expected != 200 else ()), url
    assert people.platform.operator.get("/operator/audit").status_code == 200
    assert people.platform.operator.get(SITE).status_code == 404, "an operator is no admin"
    admins = f"/operator/organizations/{people.platform.organization_id}/admins/other@acme.test"
    answer(people.platform.operator.put(admins), 200)
    try:
        own = items(people.other, organization(people))
        assert {each["site_id"] for each in own} >= {people.site_id}
        assert "organization-admin:set" in {each["event"] for each in own}
        assert items(people.other), "an admin of the organization is one of the site"
    finally:
        answer(people.platform.operator.delete(admins), 204)


def test_who_builds_an_app_learns_of_no_person(people: People) -> None:
    reason = {"Audit-Reason": quote("Müller wants it")}
    switch = f"/admin/sites/acme.test/apps/{people.app_id}/environments/development/rest-apis"
    answer(people.admin.put(switch, json={"enabled": True}, headers=reason), 200)
    (row,) = items(people.developer, f"/apps/{people.app_id}/audit", event="rest-apis:enabled")
    assert (row["account_id"], row["account_email"], row["address"]) == (None, None, None)
    assert row["reason"] == ""
    assert "Müller" not in json.dumps(row, ensure_ascii=False)
    (own,) = items(people.developer, f"/apps/{people.app_id}/audit", event="app:registered")
    assert own["account_email"] == "developer@acme.test"
    (admins,) = items(people.admin, event="rest-apis:enabled")
    assert (admins["account_email"], admins["reason"]) == ("admin@acme.test", "Müller wants it")
    assert admins["address"] == "127.0.0.1"


def test_rows_are_narrowed(people: People) -> None:
    client = answer(people.create(name="Narrow"), 201)["client_id"]
    answer(people.member.post(f"/integrations/{client}/secrets"), 201)
    answer(people.member.delete(f"/integrations/{client}"), 204)
    mine = items(people.admin, client_id=client)
    assert [each["event"] for each in mine] == [
        "integration:revoked",
        "integration-secret:rotated",
        "integration:created",
    ]
    assert items(people.admin, client_id=client, event="integration:created") == mine[2:]
    assert items(people.admin, client_id=client, event="integration") == [mine[0], mine[2]]
    both = ["integration-secret", "integration:created"]
    assert items(people.admin, client_id=client, event=both) == mine[1:]
    by_email = items(people.admin, client_id=client, account="member@acme.test")
    assert by_email == items(people.admin, client_id=client, account=mine[0]["account_id"]) == mine
    assert items(people.admin, client_id=client, account="admin@acme.test") == []
    assert items(people.admin, account="nobody@acme.test") == []
    assert items(people.admin, client_id=client, app=people.app_id) == mine
    at = mine[1]["at"]
    later = items(people.admin, client_id=client, since=at)
    earlier = items(people.admin, client_id=client, until=at)
    assert later + earlier == mine
    assert mine[1] in later


def test_the_filter_by_client_finds_it_in_the_detail_too(people: People) -> None:
    queue = "/admin/sites/acme.test/approvals"
    answer(people.admin.put(queue, json={"required": True}), 200)
    try:
        client = answer(people.create(), 201)["client_id"]
        asked = items(people.admin, client_id=client, event="approval:asked")
        assert [each["detail"]["client_id"] for each in asked] == [client]
        assert asked[0]["subject"] != client
    finally:
        answer(people.admin.put(queue, json={"required": False}), 200)


@pytest.mark.parametrize(
    "wanted",
    [
        {"event": "no-such:event"},
        {"event": "consent%"},
        {"client_id": "x"},
        {"app": "' OR 1=1"},
        {"account": "no email"},
        {"since": "yesterday"},
        {"before": "0"},
        {"limit": "501"},
    ],
)
def test_what_cannot_be_asked(people: People, wanted: dict[str, str]) -> None:
    for path in (SITE, EXPORT):
        refused_answer = people.admin.get(path, params=wanted)
        if path == EXPORT and "limit" in wanted:
            continue
        refused(refused_answer, 422, "invalid_input")


def test_pages_hold_every_row_once(people: People) -> None:
    whole = items(people.admin, limit=500)
    paged, before = [], None
    while True:
        found = answer(
            people.admin.get(SITE, params={"limit": 3, **({"before": before} if before else {})}),
            200,
        )
        paged += found["items"]
        before = found["next"]
        if before is None:
            break
        assert len(found["items"]) == 3
        assert before == found["items"][-1]["id"]
    assert paged == whole
    assert len(whole) > 6


def test_an_export_is_what_the_pages_are(people: People) -> None:
    whole = items(people.admin, limit=500)
    lines = people.admin.get(EXPORT, params={"format": "jsonl"})
    assert lines.headers["content-type"] == "application/jsonl"
    assert lines.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    assert [json.loads(line) for line in lines.text.splitlines()] == whole
    table = people.admin.get(EXPORT, params={"format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [int(each["id"]) for each in rows] == [each["id"] for each in whole]
    assert json.loads(rows[0]["detail"]) == whole[0]["detail"]
    assert rows[0]["account_email"] == (whole[0]["account_email"] or "")
    two = people.admin.get(EXPORT, params={"limit": 2})
    assert [json.loads(line) for line in two.text.splitlines()] == whole[:2]
    rest = people.admin.get(EXPORT, params={"before": whole[1]["id"]})
    assert [json.loads(line) for line in rest.text.splitlines()] == whole[2:]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "|x", "%0A=1"])
def test_no_cell_is_a_formula(people: People, formula: str) -> None:
    """https://owasp.org/www-community/attacks/CSV_Injection"""
    reason = {"Audit-Reason": quote(formula)}
    client = answer(people.member.post("/integrations", headers=reason, json=body(people)), 201)
    text = people.admin.get(EXPORT, params={"format": "csv", "client_id": client["client_id"]}).text
    for row in csv.reader(io.StringIO(text, newline="")):
        assert [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "|", "%")] == []
    assert f"'{formula}" in text
    people.member.delete(f"/integrations/{client['client_id']}")


def body(people: People) -> dict[str, Any]:
    return {"name": "=cmd", "redirect_uris": ["https://client.test/cb"], "link": people.link()}


def test_a_reason_is_plain_words(people: People) -> None:
    for reason in ("\u202e", "\n", "x" * 501):
        headers = {"Audit-Reason": quote(reason)}
        if reason != "\n":
            refused(people.member.get("/integrations", headers=headers), 422, "invalid_input")
    assert people.member.get("/integrations", headers={"Audit-Reason": ""}).status_code == 200
