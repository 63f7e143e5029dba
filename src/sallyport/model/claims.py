"""Who may come in by an identity provider, and as what: a declared mapping from claims. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sallyport.model.directory import SiteRole

ClaimPath = tuple[str, ...]
Test = Literal["present", "equals", "contains"]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """A claim, by its path through objects, and what must hold of it.

    `contains` holds of a list that has the text in it; `equals` of the same value of the same type;
    `present` of anything but null.
    """

    claim: ClaimPath
    test: Test
    value: str | int | bool | None = None

    def holds(self, claims: Mapping[str, Any]) -> bool:
        found = claim_at(claims, self.claim)
        if self.test == "contains":
            return isinstance(found, list) and any(
                type(each) is type(self.value) and each == self.value for each in found
            )
        if self.test == "equals":
            return type(found) is type(self.value) and bool(found == self.value)
        return found is not _MISSING and found is not None

    def __str__(self) -> str:
        path = ".".join(self.claim)
        return path if self.test == "present" else f"{path} {self.test} {self.value!r}"


@dataclass(frozen=True, slots=True)
class SiteRule:
    """Whose claims pass the test has this role on the site, which is named by its host."""

    host: str
    role: SiteRole
    when: ClaimTest


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """`require`: all must hold; `refuse`: none may; `sites`: what each that holds gives."""

    email: ClaimPath = ("email",)
    name: ClaimPath = ("name",)
    require: tuple[ClaimTest, ...] = ()
    refuse: tuple[ClaimTest, ...] = ()
    sites: tuple[SiteRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who comes in: `email` only where the provider says it is verified; roles by host."""

    email: str | None
    name: str | None
    roles: Mapping[str, SiteRole]


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """`why` is for the operator's log: it may hold values of claims."""

    why: str


def admit(mapping: ClaimMapping, claims: Mapping[str, Any]) -> Admitted | NotAdmitted:
    """What the mapping makes of these claims. Of several roles on a site the highest counts."""
    for test in mapping.refuse:
        if test.holds(claims):
            return NotAdmitted(f"the mapping refuses: {test}")
    for test in mapping.require:
        if not test.holds(claims):
            return NotAdmitted(f"the mapping requires: {test}")
    roles: dict[str, SiteRole] = {}
    for rule in mapping.sites:
        if rule.when.holds(claims) and roles.get(rule.host) is not SiteRole.ADMIN:
            roles[rule.host] = rule.role
    verified = claims.get("email_verified") is True
    email, name = claim_at(claims, mapping.email), claim_at(claims, mapping.name)
    return Admitted(
        email if verified and isinstance(email, str) else None,
        name if isinstance(name, str) else None,
        roles,
    )


def claim_at(claims: Mapping[str, Any], path: ClaimPath) -> Any:
    """The value at a path; a value that nothing equals where there is none."""
    found: Any = claims
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return _MISSING
        found = found[name]
    return found
