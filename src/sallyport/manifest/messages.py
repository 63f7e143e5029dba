"""What findings say. The words are those of contract section (b.4); developers search for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from sallyport.manifest.document import visible
from sallyport.manifest.schema import Path, Violation

VALID_YAML = "valid-yaml-required"
VALID_DOCUMENT = "valid-document-required"
VALID_MODULE = "valid-module-required"
VALID_PERMISSIONS = "valid-permissions-required"

BAD_HANDLER = "must be in format <module>.<function> (example: index.run)."
PATH_FIX = (
    "Write /literal, then literals (letters, digits, '-', '_', '.', '~'), {name}, * or, last, **; "
    "no slash at the end."
)

_MEANT = {
    "method": "operation",
    "verb": "operation",
    "url": "path",
    "route": "path",
    "timeout": "timeoutSeconds",
    "memory": "memoryMB",
    "apiroutes": "apiRoute",
    "title": "displayName",
}
_LONGEST_GUESS = 64


def subject(path: Path) -> str:
    """A place in the manifest as messages name it: `apiRoute`, `app runtime property name`."""
    parts = list(path)
    if len(parts) > 1 and parts[0] == "modules":
        del parts[0]
        if len(parts) > 1 and isinstance(parts[1], int):
            del parts[1]
    words = [visible(str(part)) for part in parts]
    if len(words) <= 1:
        return words[0] if words else "document"
    return f"{' '.join(words[:-1])} property {words[-1]}"


def manifest_message(violation: Violation) -> str:
    """A departure from the schema, in the words of contract section (b.4)."""
    named = visible(violation.named)
    place = subject(violation.path)
    if violation.keyword in {"required", "anyOf"}:
        return f"{place} must have required property '{named}'"
    if violation.keyword == "additionalProperties":
        return f"{place} should NOT have additional property '{named}'"
    if violation.keyword == "type":
        return f"{place} must be {_types(violation.wanted)}"
    if violation.keyword == "pattern" and violation.path[-1:] == ("handler",):
        return f"function handler property '{visible(violation.value)}' {BAD_HANDLER}"
    if isinstance(violation.value, str):
        place = f"{place} '{visible(violation.value)}'"
    if violation.keyword == "enum":
        return f"{place} allowed values are {_quoted(violation.wanted)}"
    return f"{place} {rule(violation)}"


def scopes_message(violation: Violation) -> str:
    """A departure of custom-scopes.yaml: `<place|keyword>: <rule>`, contract section (c.3)."""
    pointer = "".join(f"/{_pointer(part)}" for part in violation.path)
    return f"{pointer or violation.keyword}: {rule(violation)}"


def rule(violation: Violation) -> str:
    """The rule that was broken, without its place."""
    wanted = violation.wanted
    named = visible(violation.named)
    match violation.keyword:
        case "required" | "anyOf":
            return f"must have required property '{named}'"
        case "additionalProperties":
            return f"must NOT have additional property '{named}'"
        case "type":
            return f"must be {_types(wanted)}"
        case "enum":
            return f"must be equal to one of the allowed values {_quoted(wanted)}"
        case "pattern":
            return f'must match pattern "{wanted}"'
        case "minLength":
            return f"must NOT have fewer than {wanted} characters"
        case "maxLength":
            return f"must NOT have more than {wanted} characters"
        case "minItems":
            return f"must NOT have fewer than {wanted} items"
        case "maxItems":
            return f"must NOT have more than {wanted} items"
        case "minProperties":
            return f"must NOT have fewer than {wanted} properties"
        case "maxProperties":
            return f"must NOT have more than {wanted} properties"
        case "minimum":
            return f"must be >= {wanted}"
        case "maximum":
            return f"must be <= {wanted}"
        case "uniqueItems":
            return f"must NOT have duplicate items (items ## {named} are identical)"
        case keyword:
            return f"must pass {keyword}"


def nearest(unknown: str, known: Iterable[str]) -> str | None:
    """The known key that an unknown one was probably meant to be."""
    names = list(known)
    word = unknown[:_LONGEST_GUESS]
    if _MEANT.get(word.lower()) in names:
        return _MEANT[word.lower()]
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def unknown_key_fix(unknown: str, known: Iterable[str]) -> str:
    """What to do about an unknown key."""
    names = list(known)
    meant = nearest(unknown, names)
    if meant is not None:
        return f"Did you mean '{meant}'?"
    return f"Remove it. Known keys are {_quoted(names)}." if names else "Remove it."


def _types(wanted: Any) -> str:
    return wanted if isinstance(wanted, str) else ",".join(wanted)


def _quoted(values: Iterable[Any]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _pointer(part: str | int) -> str:
    return visible(str(part)).replace("~", "~0").replace("/", "~1")
