"""`src/<module>.api.yaml` beside a module of handlers: what callers should know of its functions.

The files are optional and untrusted; what they say is shown, never obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from sallyport.manifest import document, messages
from sallyport.manifest.document import Unreadable
from sallyport.manifest.findings import Findings, key_place, node_at
from sallyport.manifest.schema import Path, Violation, violations
from sallyport.model.api_notes import ApiNotes, FunctionNotes
from sallyport.model.manifest import Diagnostic, Manifest

SUFFIX: Final = ".api.yaml"
LARGEST: Final = 128 * 1024

_UNFOLLOWED = frozenset({"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor"})
_DECODER = msgspec.json.Decoder(dict[str, FunctionNotes])

ReadFile = Callable[[str], bytes | None]
"""A path relative to the manifest -> the file's bytes, at most one past `LARGEST`; None without."""


@dataclass(frozen=True, slots=True)
class NotesRead:
    """What the files say, and what is wrong with them. A file with an error says nothing."""

    notes: ApiNotes
    diagnostics: tuple[Diagnostic, ...]


def notes_files(manifest: Manifest, sources: str = "src/") -> tuple[str, ...]:
    """Where notes may be, for each module of handlers; `sources` is where modules lie."""
    modules = sorted({function.module for function in manifest.functions})
    return tuple(f"{sources}{module}{SUFFIX}" for module in modules)


def read_api_notes(manifest: Manifest, read: ReadFile, sources: str = "src/") -> NotesRead:
    """Read every file of notes that there is. Never raises for what the bytes hold."""
    notes: dict[str, FunctionNotes] = {}
    found: list[Diagnostic] = []
    handlers = {function.handler for function in manifest.functions}
    for name in notes_files(manifest, sources):
        data = read(name)
        if data is None:
            continue
        module = name.removeprefix(sources).removesuffix(SUFFIX)
        findings = Findings(name)
        root = _read_one(data, findings)
        for function, entry in root.entries.items() if root is not None else ():
            handler = f"{module}.{function}"
            if handler in handlers:
                notes[handler] = msgspec.convert(document.to_data(entry.value), FunctionNotes)
                continue
            findings.warning(
                entry.key,
                messages.VALID_MODULE,
                f"no function of the manifest has the handler '{handler}'",
                "Remove the notes, or declare the function.",
            )
        found += findings.sorted()
    return NotesRead(notes, tuple(found))


def to_json(notes: ApiNotes) -> str:
    """Notes as the JSON text that versions keep; equal notes give equal text."""
    return msgspec.json.encode(notes, order="deterministic").decode()


def from_json(text: str) -> ApiNotes:
    """What `to_json` wrote."""
    return _DECODER.decode(text)


def _read_one(data: bytes, findings: Findings) -> document.Mapping | None:
    """A file's functions with their notes; None where findings say what is wrong."""
    if len(data) > LARGEST:
        size = Unreadable(f"the file is larger than {LARGEST // 1024} KB", 1, 1)
        findings.error(size, messages.VALID_DOCUMENT, size.reason, "Shorten the examples.")
        return None
    try:
        composed = document.compose(data)
    except Unreadable as unreadable:
        findings.error(unreadable, messages.VALID_YAML, unreadable.reason)
        return None
    root = composed.root
    for fault in composed.faults:
        findings.error(fault, messages.VALID_YAML, fault.reason)
    said = document.to_data(root)
    for violation in violations("api-notes", said):
        _report(root, violation, findings)
    if findings.has_errors:
        return None
    for path, schema in _schemas(said):
        _check_schema(root, path, schema, findings)
    return None if findings.has_errors else root


def _schemas(said: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for function, notes in said.items():
        for kind in ("path", "query", "responses"):
            for name, part in notes.get(kind, {}).items():
                if "schema" in part:
                    yield (function, kind, name, "schema"), part["schema"]
        if "schema" in notes.get("request", {}):
            yield (function, "request", "schema"), notes["request"]["schema"]


def _check_schema(
    root: document.Mapping, path: Path, schema: dict[str, Any], findings: Findings
) -> None:
    for inner, key, value in _entries(schema):
        if key in _UNFOLLOWED and isinstance(value, str):
            findings.error(
                key_place(node_at(root, (*path, *inner)), key),
                messages.VALID_DOCUMENT,
                f"the schema uses '{key}', which leads nowhere in the OpenAPI document",
                "Write the schema out in its place.",
            )
            return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        findings.error(
            node_at(root, (*path, *error.absolute_path)),
            messages.VALID_DOCUMENT,
            f"this is no JSON Schema: {document.visible(error.message)}",
        )


def _entries(schema: Any, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """Every entry in a schema with the path of what holds it. Depth is bounded by the reader."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield path, key, value
            yield from _entries(value, (*path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _entries(value, (*path, index))


def _report(root: document.Mapping, violation: Violation, findings: Findings) -> None:
    node = node_at(root, violation.path)
    message = messages.scopes_message(violation)
    if violation.keyword != "additionalProperties":
        findings.error(node, messages.VALID_DOCUMENT, message)
        return
    findings.error(
        key_place(node, violation.named),
        messages.VALID_DOCUMENT,
        message,
        messages.unknown_key_fix(violation.named, violation.schema.get("properties", ())),
    )
