"""Mending what needs no thought: a misspelt key becomes the key that was meant."""

from __future__ import annotations

import re

from sallyport.manifest.load import Read, read_manifest
from sallyport.model.manifest import Diagnostic

_UNKNOWN = re.compile(r"should NOT have additional property '([^']+)'$")
_MEANT = re.compile(r"Did you mean '([^']+)'\?")
_MOST_RENAMES = 50


def with_keys_renamed(manifest: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """The manifest with misspelt keys renamed, and which: (old, new). Other bytes stay.

    A renaming that does not leave fewer errors is not made.
    """
    renamed: list[tuple[str, str]] = []
    tried: set[tuple[int, int, str]] = set()
    while len(renamed) < _MOST_RENAMES:
        read = read_manifest(manifest)
        for finding in read.diagnostics:
            place = (finding.line, finding.column, finding.message)
            if place in tried:
                continue
            tried.add(place)
            names = _names(finding)
            changed = _renamed(manifest, finding, *names) if names else None
            if names and changed and _errors(read_manifest(changed)) < _errors(read):
                manifest = changed
                renamed.append(names)
                break
        else:
            break
    return manifest, renamed


def _names(finding: Diagnostic) -> tuple[str, str] | None:
    unknown, meant = _UNKNOWN.search(finding.message), _MEANT.search(finding.fix or "")
    return (unknown[1], meant[1]) if unknown and meant else None


def _renamed(manifest: bytes, finding: Diagnostic, old: str, new: str) -> bytes | None:
    lines = manifest.decode("utf-8-sig").split("\n")
    line, at = lines[finding.line - 1], finding.column - 1
    if line[at : at + 1] in ("'", '"'):
        at += 1
    if not line.startswith(old, at):
        return None
    lines[finding.line - 1] = line[:at] + new + line[at + len(old) :]
    mark = "\ufeff" if manifest.startswith(b"\xef\xbb\xbf") else ""
    return (mark + "\n".join(lines)).encode()


def _errors(read: Read) -> int:
    return sum(finding.level == "error" for finding in read.diagnostics)
