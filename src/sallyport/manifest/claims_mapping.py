"""The mapping file of sign-in by an identity provider, from bytes to a frozen model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sallyport.manifest import document, messages
from sallyport.manifest.document import Unreadable
from sallyport.manifest.findings import Findings, Place, key_place, node_at
from sallyport.manifest.schema import Violation, violations
from sallyport.model.claims import ClaimMapping, ClaimPath, ClaimTest, SiteRule
from sallyport.model.directory import SiteRole
from sallyport.model.manifest import Diagnostic


@dataclass(frozen=True, slots=True)
class MappingRead:
    """What the file says, None where a finding is an error; and the findings, by position."""

    mapping: ClaimMapping | None
    diagnostics: tuple[Diagnostic, ...]


def read_claims_mapping(data: bytes, file_name: str) -> MappingRead:
    """Read a mapping. Never raises for what the bytes hold."""
    findings = Findings(file_name)
    try:
        composed = document.compose(data)
    except Unreadable as unreadable:
        findings.error(unreadable, messages.VALID_YAML, unreadable.reason)
        return MappingRead(None, findings.sorted())
    root = composed.root
    for fault in composed.faults:
        findings.error(fault, messages.VALID_YAML, fault.reason)
    said = document.to_data(root)
    for violation in violations("claims-mapping", said):
        place: Place = node_at(root, violation.path)
        if violation.keyword == "additionalProperties":
            place = key_place(node_at(root, violation.path), violation.named)
        findings.error(place, messages.VALID_DOCUMENT, _message(violation))
    if not findings.has_errors:
        for path, test in _tests(said):
            if "equals" in test and "contains" in test:
                findings.error(
                    node_at(root, path),
                    messages.VALID_DOCUMENT,
                    "a test has either equals or contains",
                )
    return MappingRead(None if findings.has_errors else _built(said), findings.sorted())


def _message(violation: Violation) -> str:
    where = ".".join(str(part) for part in violation.path) or "the file"
    wanted = violation.wanted
    match violation.keyword:
        case "additionalProperties":
            known = ", ".join(violation.schema.get("properties", ()))
            return f"{where} takes {known}, not {violation.named}"
        case "required":
            return f"{where} has no {violation.named}"
        case "enum":
            return f"{where} must be {' or '.join(str(each) for each in wanted)}"
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            return f"{where} must be {' or '.join(kinds)}"
        case _:
            return f"{where} breaks the rule {violation.keyword} {wanted}"


def _tests(said: dict[str, Any]) -> list[tuple[tuple[str | int, ...], dict[str, Any]]]:
    return [
        ((part, index), test)
        for part in ("require", "refuse", "sites")
        for index, test in enumerate(said.get(part) or ())
    ]


def _built(said: dict[str, Any]) -> ClaimMapping:
    account = said.get("account", {})
    return ClaimMapping(
        email=_path(account.get("email", "email")),
        name=_path(account.get("name", "name")),
        require=tuple(_test(each) for each in said.get("require", ())),
        refuse=tuple(_test(each) for each in said.get("refuse", ())),
        sites=tuple(
            SiteRule(each["site"].lower(), SiteRole(each["role"]), _test(each))
            for each in said.get("sites", ())
        ),
    )


def _test(said: dict[str, Any]) -> ClaimTest:
    if "equals" in said:
        return ClaimTest(_path(said["claim"]), "equals", said["equals"])
    if "contains" in said:
        return ClaimTest(_path(said["claim"]), "contains", said["contains"])
    return ClaimTest(_path(said["claim"]), "present")


def _path(claim: str | list[str]) -> ClaimPath:
    return (claim,) if isinstance(claim, str) else tuple(claim)
