"""Signing keys by the control API: operators list, rotate and retire them; nobody else."""

from __future__ import annotations

from test_integrations_api import People, answer, people, refused

__all__ = ["people"]
KEYS = "/operator/keys"


def test_operators_rotate_and_retire_keys(people: People) -> None:
    operator = people.platform.operator
    first = answer(operator.post(KEYS, json={"now": True}), 201)
    assert first["retires_at"] is None
    made = answer(operator.post(KEYS, json={"now": True}), 201)
    old, new = answer(operator.get(KEYS), 200)["items"]
    assert (old["kid"], new) == (first["kid"], made)
    assert old["retires_at"] > new["signs_from"]

    refused(operator.delete(f"{KEYS}/nothing"), 404, "not_found")
    assert operator.delete(f"{KEYS}/{old['kid']}").status_code == 204
    refused(operator.delete(f"{KEYS}/{new['kid']}"), 409, "conflict")
    assert answer(operator.get(KEYS), 200)["items"] == [new]


def test_a_rotation_waits_for_the_one_before(people: People) -> None:
    operator = people.platform.operator
    made = answer(operator.post(KEYS, json={}), 201)
    assert made["signs_from"] > made["created_at"]
    refused(operator.post(KEYS, json={}), 409, "conflict")


def test_nobody_else_touches_keys(people: People) -> None:
    for who in (people.admin, people.developer, people.outsider):
        refused(who.get(KEYS), 403, "not_allowed")
        refused(who.post(KEYS, json={"now": True}), 403, "not_allowed")
        refused(who.delete(f"{KEYS}/x"), 403, "not_allowed")
