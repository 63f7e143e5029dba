"""The mapping of claims: what it admits, and what is wrong with a file, by line and column.

Planted bugs that these tests were seen to fail on: `refuse`, or `require`, not looked at;
`equals: true` that 1 fits; the last role in the file winning; an email without `email_verified`.
"""

from __future__ import annotations

from typing import Any

import pytest

from sallyport.manifest.claims_mapping import read_claims_mapping
from sallyport.model.claims import Admitted, ClaimMapping, NotAdmitted, admit
from sallyport.model.directory import SiteRole

FILE = b"""\
account:
  email: email
  name: [profile, display]
require:
  - claim: groups
    contains: staff
refuse:
  - {claim: suspended, equals: true}
  - {claim: [realm, banned]}
sites:
  - {site: ACME.test, role: admin, claim: groups, contains: acme-admins}
  - {site: acme.test, role: member, claim: groups, contains: staff}
  - {site: lab.test, role: member, claim: level, equals: 3}
"""
GOOD: dict[str, Any] = {"groups": ["staff"], "email": "a@a.test", "email_verified": True}


def mapping() -> ClaimMapping:
    read = read_claims_mapping(FILE, "mapping.yaml")
    assert read.diagnostics == ()
    assert read.mapping is not None
    return read.mapping


def admitted(**claims: Any) -> Admitted | NotAdmitted:
    return admit(mapping(), {**GOOD, **claims})


def test_claims_give_roles_and_the_highest_counts() -> None:
    member = admitted(profile={"display": "Ada"})
    assert member == Admitted("a@a.test", "Ada", {"acme.test": SiteRole.MEMBER})
    admin = admitted(groups=["staff", "acme-admins"], level=3)
    assert isinstance(admin, Admitted)
    assert admin.roles == {"acme.test": SiteRole.ADMIN, "lab.test": SiteRole.MEMBER}


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_email_counts_only_if_it_is_verified(verified: Any) -> None:
    found = admitted(email_verified=verified)
    assert isinstance(found, Admitted)
    assert found.email is None


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": "staff"},
        {"groups": {"staff": 1}},
        {"groups": [["staff"]]},
        {"groups": None},
        {"suspended": True},
        {"realm": {"banned": False}},
    ],
    ids=str,
)
def test_who_is_refused(claims: dict[str, Any]) -> None:
    assert isinstance(admitted(**claims), NotAdmitted)


@pytest.mark.parametrize(
    "claims",
    [{"suspended": 1}, {"suspended": "true"}, {"realm": {"banned": None}}, {"realm": "banned"}],
    ids=str,
)
def test_only_the_same_value_counts(claims: dict[str, Any]) -> None:
    assert isinstance(admitted(**claims), Admitted)
    assert isinstance(admitted(level="3"), Admitted)
    assert admitted(level="3") == admitted(level=True) == admitted()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("sites:\n  - {site: a.test, role: owner, claim: x}", 2, "role must be member or admin"),
        ("sites:\n  - {site: a.test, role: member}", 2, "has no claim"),
        ("require:\n  - {claim: x}\nrequires: []", 3, "not requires"),
        ("require:\n  - {claim: x, contain: y}", 2, "not contain"),
        ("refuse:\n  - {claim: x, equals: 1, contains: 2}", 2, "either equals or contains"),
        ("refuse: x", 1, "must be array"),
        ("require:\n  - claim: 7", 2, "must be string or array"),
        ("- x", 1, ""),
        ("a: [", 1, ""),
        ("\xff", 1, ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, said: str) -> None:
    read = read_claims_mapping(text.encode("latin-1"), "mapping.yaml")
    assert read.mapping is None
    first = read.diagnostics[0]
    assert (first.file, first.line) == ("mapping.yaml", line)
    assert said in first.message
