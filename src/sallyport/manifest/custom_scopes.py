"""custom-scopes.yaml from untrusted bytes to scope declarations, contract section (c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sallyport.manifest import document, messages
from sallyport.manifest.document import Unreadable
from sallyport.manifest.findings import Findings, key_place, node_at
from sallyport.manifest.schema import Violation, violations
from sallyport.model.manifest import Diagnostic, ScopeDeclaration

MOST_SCOPES = 20


@dataclass(frozen=True, slots=True)
class ScopesRead:
    """What the file declares, and what is wrong with it, sorted by position.

    `scopes` is None where a finding is an error.
    """

    file: str
    scopes: tuple[ScopeDeclaration, ...] | None
    diagnostics: tuple[Diagnostic, ...]
    root: document.Mapping | None = field(default=None, repr=False, compare=False)


def read_custom_scopes(data: bytes, file_name: str = "custom-scopes.yaml") -> ScopesRead:
    """Read scope declarations. Never raises for what the bytes hold.

    A message is `<place|keyword>: <rule>`, where place is a JSON pointer, or for YAML that cannot
    be read its reason alone; contract section (c.3).
    """
    findings = Findings(file_name)
    try:
        composed = document.compose(data)
    except Unreadable as unreadable:
        findings.error(unreadable, messages.VALID_YAML, unreadable.reason)
        return ScopesRead(file_name, None, findings.sorted())
    root = composed.root
    for fault in composed.faults:
        findings.error(fault, messages.VALID_YAML, fault.reason)
    for violation in violations("custom-scopes", document.to_data(root)):
        _report(root, violation, findings)
    scopes = None if findings.has_errors else _declarations(root)
    return ScopesRead(file_name, scopes, findings.sorted(), root)


def failure_text(read: ScopesRead, shown: str) -> str:
    """The text of a failed reading, contract section (c.3); `shown` is the input as JSON text."""
    unread = [d for d in read.diagnostics if d.reference == messages.VALID_YAML]
    if unread:
        return "\n".join(["Failed to parse YAML file:", *(f"- {d.message}" for d in unread)])
    lines = ["Validation failed for input:", shown, "Errors:"]
    return "\n".join([*lines, *(f"- {d.message}" for d in read.diagnostics if d.level == "error")])


def _declarations(root: document.Mapping) -> tuple[ScopeDeclaration, ...]:
    scopes = document.to_data(root)["scopes"]
    return tuple(
        ScopeDeclaration(name, item["description"], item.get("displayName"))
        for name, item in scopes.items()
    )


def _report(root: document.Mapping, violation: Violation, findings: Findings) -> None:
    node = node_at(root, violation.path)
    message = messages.scopes_message(violation)
    if violation.keyword != "additionalProperties":
        fix = None
        if violation.keyword == "maxProperties":
            fix = f"An environment holds at most {MOST_SCOPES} scopes; join the narrowest ones."
        findings.error(node, messages.VALID_DOCUMENT, message, fix)
        return
    place = key_place(node, violation.named)
    if violation.path == ("scopes",):
        fix = "A scope name is verb:noun:custom, of letters, digits and -.:_, at most 100 long."
    else:
        fix = messages.unknown_key_fix(violation.named, violation.schema.get("properties", ()))
    findings.error(place, messages.VALID_DOCUMENT, message, fix)
