"""Service accounts that members ask for: an admin answers, who asked gets the secret, once.

Planted bugs that these tests were seen to fail on: the link written as it was asked for; the
secret given before the answer, to another account, a second time, or to who left the site; a
refused client left alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from test_integrations_api import JIRA, READ, People, answer, people, refused

from sallyport.vocab.ids import is_well_formed
from serving import audit

__all__ = ["people"]

MINE = "/service-accounts/requests"
QUEUE = "/admin/sites/acme.test/approvals"
ACCOUNTS = "/admin/sites/acme.test/service-accounts"


@pytest.fixture
def asker(people: People) -> Iterator[People]:
    yield people
    for each in answer(people.admin.get(ACCOUNTS), 200)["items"]:
        people.admin.delete(f"{ACCOUNTS}/{each['client_id']}")
    for each in answer(people.member.get(MINE), 200)["items"]:
        people.member.delete(f"{MINE}/{each['client_id']}")


def ask(people: People, who: httpx.Client | None = None, **changes: Any) -> httpx.Response:
    body = {
        "name": "Payroll robot",
        "site": "acme.test",
        "app_id": people.app_id,
        "environment": "development",
        "scopes": [READ],
        "note": "For the nightly run",
        **changes,
    }
    return (who or people.member).post(MINE, json=body)


def mine(people: People, client_id: str) -> dict[str, Any]:
    (found,) = (
        each
        for each in answer(people.member.get(MINE), 200)["items"]
        if each["client_id"] == client_id
    )
    return dict(found)


def settle(people: People, *approved: str, reason: str = "as we agreed", **more: Any) -> Any:
    (request,) = answer(people.admin.get(QUEUE), 200)["items"]
    who = more.pop("who", people.admin)
    return who.put(f"{QUEUE}/{request['id']}", json={"approved": list(approved), "reason": reason})


def test_from_the_request_to_the_secret(asker: People) -> None:
    asked = answer(ask(asker), 201)
    client_id = asked["client_id"]
    assert (asked["state"], asked["secret_waits"]) == ("pending", False)
    assert [each["state"] for each in asked["scopes"]] == ["awaited", "awaited"]
    (request,) = answer(asker.admin.get(QUEUE), 200)["items"]
    assert (request["kind"], request["integration_name"]) == ("service_account", "Payroll robot")
    assert (request["asked_by"], request["note"]) == ("member@acme.test", "For the nightly run")
    assert answer(asker.admin.get(ACCOUNTS), 200)["items"] == [], "it is none before the answer"
    refused(asker.member.post(f"{MINE}/{client_id}/secret"), 409, "conflict")

    settled = answer(settle(asker, READ, JIRA), 200)
    assert "client_secret" not in str(settled), "the admin is told no secret"
    (made,) = answer(asker.admin.get(ACCOUNTS), 200)["items"]
    assert (made["client_id"], made["live_secrets"]) == (client_id, 0)
    assert (made["scopes"], made["product_scopes"]) == ([READ], [JIRA])
    told = mine(asker, client_id)
    assert (told["state"], told["secret_waits"]) == ("approved", True)
    assert told["reason"] == "as we agreed"

    for other in (asker.other, asker.admin, asker.outsider):
        refused(other.post(f"{MINE}/{client_id}/secret"), 404, "not_found")
    secret = answer(asker.member.post(f"{MINE}/{client_id}/secret"), 201)["client_secret"]
    assert is_well_formed(secret, "spcs")
    refused(asker.member.post(f"{MINE}/{client_id}/secret"), 409, "conflict")
    assert mine(asker, client_id)["secret_waits"] is False
    assert answer(asker.admin.get(f"{ACCOUNTS}/{client_id}"), 200)["live_secrets"] == 1
    answer(asker.admin.delete(f"{ACCOUNTS}/{client_id}"), 204)
    assert mine(asker, client_id)["state"] == "ended"
    events = {event for event, _, subject in audit(asker.platform) if subject == client_id}
    assert {
        "integration:created",
        "service-account:created",
        "integration-secret:rotated",
        "service-account:ended",
    } <= events


def test_a_refusal_tells_why_and_ends_it(asker: People) -> None:
    client_id = answer(ask(asker), 201)["client_id"]
    refused(settle(asker, reason=" "), 422, "invalid_input")
    answer(settle(asker, reason="Use the old job"), 200)
    told = mine(asker, client_id)
    assert (told["state"], told["reason"]) == ("refused", "Use the old job")
    refused(asker.member.post(f"{MINE}/{client_id}/secret"), 409, "conflict")
    assert answer(asker.admin.get(ACCOUNTS), 200)["items"] == []
    refused(asker.admin.post(f"{ACCOUNTS}/{client_id}/secrets"), 404, "not_found")


def test_it_needs_a_custom_scope(asker: People) -> None:
    answer(ask(asker), 201)
    refused(settle(asker, JIRA), 422, "invalid_input")
    assert len(answer(asker.admin.get(QUEUE), 200)["items"]) == 1, "and it waits as before"


def test_who_asks_may_not_answer(asker: People) -> None:
    answer(ask(asker), 201)
    refused(settle(asker, READ, JIRA, who=asker.member), 403, "not_allowed")
    refused(settle(asker, READ, JIRA, who=asker.outsider), 404, "not_found")


def test_a_request_is_withdrawn_while_it_waits(asker: People) -> None:
    client_id = answer(ask(asker), 201)["client_id"]
    refused(asker.other.delete(f"{MINE}/{client_id}"), 404, "not_found")
    answer(asker.member.delete(f"{MINE}/{client_id}"), 204)
    assert answer(asker.admin.get(QUEUE), 200)["items"] == []
    again = answer(ask(asker), 201)["client_id"]
    answer(settle(asker, READ, JIRA), 200)
    refused(asker.member.delete(f"{MINE}/{again}"), 409, "conflict")


def test_what_cannot_be_asked(asker: People) -> None:
    refused(ask(asker, asker.outsider), 404, "not_found")
    refused(ask(asker, scopes=[]), 422, "invalid_input")
    refused(ask(asker, scopes=["read:other:custom"]), 422, "invalid_input")
    refused(ask(asker, name="\u202eevil"), 422, "invalid_input")
    made = [ask(asker, name=f"Robot {number}") for number in range(21)]
    assert [each.status_code for each in made] == [201] * 20 + [409]


def test_of_two_takers_one_gets_the_secret(asker: People) -> None:
    client_id = answer(ask(asker), 201)["client_id"]
    answer(settle(asker, READ, JIRA), 200)
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(asker.member.post, f"{MINE}/{client_id}/secret") for _ in range(4)]
        statuses = sorted(each.result().status_code for each in sent)
    assert statuses == [201, 409, 409, 409]


def test_who_left_the_site_gets_no_secret(asker: People) -> None:
    client_id = answer(ask(asker), 201)["client_id"]
    answer(settle(asker, READ, JIRA), 200)
    member = f"/operator/sites/{asker.site_id}/members/member@acme.test"
    answer(asker.platform.operator.delete(member), 204)
    try:
        refused(asker.member.post(f"{MINE}/{client_id}/secret"), 404, "not_found")
    finally:
        answer(asker.platform.operator.put(member, json={"role": "member"}), 200)
