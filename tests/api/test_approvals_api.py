"""Approval of what integrations may use on a site, over the control API.

Planted bugs that these tests were seen to fail on: the answer not held against what was asked;
`settle` without its condition on the state; the request looked up without its site; a member let in
as an admin; the rule not looked at when a link is widened; the link not narrowed when a scope is
taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from test_integrations_api import JIRA, READ, People, answer, people, refused

__all__ = ["people"]

QUEUE = "/admin/sites/acme.test/approvals"
WRITE = "write:employee:custom"


@pytest.fixture
def strict(people: People) -> Iterator[People]:
    """The site requires approval, and the app has a second scope."""
    environment = f"/apps/{people.app_id}/environments/development"
    scopes = {"scopes": [{"name": each, "description": "x"} for each in (READ, WRITE)]}
    answer(people.developer.post(f"{environment}/custom-scopes", json=scopes), 200)
    answer(people.admin.put(QUEUE, json={"required": True, "reason": "Audit of 2026"}), 200)
    yield people
    answer(people.admin.put(QUEUE, json={"required": False}), 200)
    for each in answer(people.member.get("/integrations"), 200)["items"]:
        people.member.delete(f"/integrations/{each['client_id']}")


def waiting(people: People) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(people.admin.get(QUEUE), 200)["items"]
    return found


def settle(people: People, request: str, *approved: str, **more: Any) -> httpx.Response:
    who = more.pop("who", people.admin)
    given: httpx.Response = who.put(
        f"{QUEUE}/{request}", json={"approved": list(approved), "reason": "as we agreed", **more}
    )
    return given


def link(people: People, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = answer(people.member.get(f"/integrations/{client_id}"), 200)
    only: dict[str, Any] = found["links"][0]
    return only


def states(people: People, client_id: str) -> dict[str, str]:
    return {each["scope"]: each["state"] for each in link(people, client_id)["approvals"]}


def widen(people: People, client_id: str, *scopes: str) -> Any:
    body = people.link(scopes=list(scopes))
    return answer(people.member.put(f"/integrations/{client_id}/links", json=body), 200)


def test_a_new_link_waits_and_holds_nothing(strict: People) -> None:
    asked = strict.link(scopes=[READ, WRITE], optional_scopes=[WRITE], note="For the payroll run")
    made = answer(strict.create(link=asked), 201)
    held = made["links"][0]
    assert (held["scopes"], held["product_scopes"]) == ([], [])
    assert states(strict, made["client_id"]) == dict.fromkeys((READ, WRITE, JIRA), "awaited")
    request = waiting(strict)[0]
    assert request["client_id"] == made["client_id"]
    assert request["asked_by"] == "member@acme.test"
    assert request["note"] == "For the payroll run"
    settled = answer(settle(strict, request["id"], READ, JIRA, reason="No writing"), 200)
    assert settled["decided_by"] == "admin@acme.test"
    after = link(strict, made["client_id"])
    assert (after["scopes"], after["product_scopes"], after["optional_scopes"]) == (
        [READ],
        [JIRA],
        [],
    )
    assert states(strict, made["client_id"]) == {
        READ: "approved",
        JIRA: "approved",
        WRITE: "refused",
    }
    assert {each["reason"] for each in after["approvals"]} == {"No writing"}
    assert waiting(strict) == []
    audit = answer(strict.admin.get("/admin/sites/acme.test/audit"), 200)["items"]
    told = next(each for each in audit if each["event"] == "approval:answered")
    assert told["account_email"] == "admin@acme.test"
    assert (told["detail"]["refused"], told["detail"]["reason"]) == ([WRITE], "No writing")


def test_links_from_before_stay_and_widening_asks_for_the_difference(people: People) -> None:
    environment = f"/apps/{people.app_id}/environments/development"
    scopes = {"scopes": [{"name": each, "description": "x"} for each in (READ, WRITE)]}
    answer(people.developer.post(f"{environment}/custom-scopes", json=scopes), 200)
    client_id = answer(people.create(), 201)["client_id"]
    answer(people.admin.put(QUEUE, json={"required": True}), 200)
    try:
        assert link(people, client_id)["scopes"] == [READ]
        widen(people, client_id, READ, WRITE)
        assert link(people, client_id)["scopes"] == [READ]
        (request,) = waiting(people)
        assert [each["scope"] for each in request["scopes"]] == [WRITE]
        widen(people, client_id, READ, WRITE)
        assert waiting(people) == [request], "the same request again is the same request"
        widen(people, client_id, READ)
        assert waiting(people) == []
        refused(settle(people, request["id"], WRITE), 404, "not_found")
        assert link(people, client_id)["scopes"] == [READ]
    finally:
        answer(people.admin.put(QUEUE, json={"required": False}), 200)
        people.member.delete(f"/integrations/{client_id}")


def test_only_the_sites_own_admins_answer(strict: People) -> None:
    client_id = answer(strict.create(), 201)["client_id"]
    request = waiting(strict)[0]["id"]
    refused(settle(strict, request, READ, who=strict.member), 403, "not_allowed")
    refused(settle(strict, request, READ, who=strict.outsider), 404, "not_found")
    elsewhere = f"/admin/sites/beta.test/approvals/{request}"
    refused(strict.outsider.put(elsewhere, json={"approved": [READ]}), 404, "not_found")
    refused(strict.member.get(QUEUE), 403, "not_allowed")
    refused(strict.member.put(QUEUE, json={"required": False}), 403, "not_allowed")
    assert link(strict, client_id)["scopes"] == []
    assert states(strict, client_id)[READ] == "awaited"


def test_nothing_is_approved_that_was_not_asked(strict: People) -> None:
    client_id = answer(strict.create(), 201)["client_id"]
    request = waiting(strict)[0]["id"]
    refused(settle(strict, request, READ, WRITE), 422, "invalid_input")
    assert link(strict, client_id)["scopes"] == []


def test_a_refusal_needs_a_reason(strict: People) -> None:
    strict.create()
    request = waiting(strict)[0]["id"]
    refused(settle(strict, request, READ, reason="  "), 422, "invalid_input")
    answer(settle(strict, request, READ, JIRA, reason=""), 200)


def test_of_two_admins_one_answers(strict: People) -> None:
    for _ in range(5):
        client_id = answer(strict.create(), 201)["client_id"]
        request = waiting(strict)[0]["id"]
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(settle, strict, request, *each) for each in ([READ, JIRA], [])]
            both = [each.result() for each in sent]
        assert sorted(each.status_code for each in both) == [200, 409]
        winner = next(each.json() for each in both if each.status_code == 200)
        approved = [each["scope"] for each in winner["scopes"] if each["state"] == "approved"]
        held = link(strict, client_id)
        assert sorted(approved) == sorted([*held["scopes"], *held["product_scopes"]])


def test_taking_back_narrows_the_link_and_tells_the_owner(strict: People) -> None:
    client_id = answer(strict.create(), 201)["client_id"]
    answer(settle(strict, waiting(strict)[0]["id"], READ, JIRA), 200)
    path = f"/admin/sites/acme.test/integrations/{client_id}/take-back"
    body = {
        "app_id": strict.app_id,
        "environment": "development",
        "scopes": [READ],
        "reason": "The project ended",
    }
    refused(strict.member.post(path, json=body), 403, "not_allowed")
    refused(strict.outsider.post(path.replace("acme", "beta"), json=body), 404, "not_found")
    assert answer(strict.admin.post(path, json=body), 200) == {"taken_back": [READ]}
    assert link(strict, client_id)["scopes"] == []
    assert states(strict, client_id) == {READ: "taken_back", JIRA: "approved"}
    refused(strict.admin.post(path, json=body), 409, "conflict")
    widen(strict, client_id, READ)
    assert link(strict, client_id)["scopes"] == [], "adding it again waits again"
    assert states(strict, client_id)[READ] == "awaited"


def test_without_the_rule_nothing_can_be_taken_back(people: People) -> None:
    client_id = answer(people.create(), 201)["client_id"]
    body = {
        "app_id": people.app_id,
        "environment": "development",
        "scopes": [READ],
        "reason": "x",
    }
    path = f"/admin/sites/acme.test/integrations/{client_id}/take-back"
    refused(people.admin.post(path, json=body), 409, "conflict")
    assert link(people, client_id)["scopes"] == [READ]
    people.member.delete(f"/integrations/{client_id}")


def test_an_end_takes_the_request_out_of_the_queue(strict: People) -> None:
    client_id = answer(strict.create(), 201)["client_id"]
    assert len(waiting(strict)) == 1
    answer(strict.member.delete(f"/integrations/{client_id}"), 204)
    assert waiting(strict) == []
