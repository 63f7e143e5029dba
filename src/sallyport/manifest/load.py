"""manifest.yml from untrusted bytes to a frozen model, with every finding at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sallyport.manifest import document, messages
from sallyport.manifest.build import build
from sallyport.manifest.custom_scopes import ScopesRead, read_custom_scopes
from sallyport.manifest.document import Unreadable
from sallyport.manifest.findings import Findings, Place, key_place, node_at
from sallyport.manifest.route_rules import check_routes
from sallyport.manifest.rules import check
from sallyport.manifest.schema import Violation, violations
from sallyport.manifest.source import SourceTree
from sallyport.manifest.stored import from_json, to_json
from sallyport.manifest.variables import fill_in
from sallyport.model.manifest import Diagnostic, Manifest

__all__ = ["Read", "ScopesRead", "from_json", "read_custom_scopes", "read_manifest", "to_json"]


@dataclass(frozen=True, slots=True)
class Read:
    """What a manifest says, and what is wrong with it, sorted by position.

    `manifest` is None where a finding is an error. `root` is the tree that lint takes positions
    from.
    """

    file: str
    manifest: Manifest | None
    diagnostics: tuple[Diagnostic, ...]
    root: document.Mapping | None = field(default=None, repr=False, compare=False)


def read_manifest(
    data: bytes,
    file_name: str = "manifest.yml",
    *,
    source: SourceTree | None = None,
    variables: Mapping[str, str] | None = None,
) -> Read:
    """Read a manifest, contract section (b). Never raises for what the bytes hold.

    `source` says which files the app has; without it handler files are not looked for.
    `variables` are the values for `environment.variables`.
    """
    findings = Findings(file_name)
    try:
        composed = document.compose(data)
    except Unreadable as unreadable:
        findings.error(unreadable, messages.VALID_YAML, _unparsed(file_name, unreadable.reason))
        return Read(file_name, None, findings.sorted())
    root = composed.root
    unset = fill_in(root, variables or {})
    for fault in (*composed.faults, *unset):
        findings.error(fault, messages.VALID_YAML, _unparsed(file_name, fault.reason))
    data_read = document.to_data(root)
    for violation in violations("manifest", data_read):
        place = node_at(root, violation.path)
        if not any((place.line, place.column) == (fault.line, fault.column) for fault in unset):
            _report(root, violation, findings)
    check(root, source, findings)
    check_routes(root, findings)
    manifest = None if findings.has_errors else build(data_read)
    return Read(file_name, manifest, findings.sorted(), root)


def _unparsed(file_name: str, reason: str) -> str:
    return f"{file_name} failed to parse content - {reason}"


def _report(root: document.Mapping, violation: Violation, findings: Findings) -> None:
    node = node_at(root, violation.path)
    message = messages.manifest_message(violation)
    fix = None
    place: Place = node
    if violation.keyword == "additionalProperties":
        place = key_place(node, violation.named)
        fix = messages.unknown_key_fix(violation.named, violation.schema.get("properties", ()))
    elif violation.keyword == "pattern" and violation.path[-1:] == ("path",):
        fix = messages.PATH_FIX
    elif violation.keyword == "uniqueItems":
        later = int(violation.named.partition(" ")[0])
        place = node_at(node, (later,))
    findings.error(place, messages.VALID_DOCUMENT, message, fix)
