"""Rules about `app.storage.entities`: what indexes name, and how many there may be."""

from __future__ import annotations

from collections.abc import Iterator

from sallyport.manifest.document import Mapping, Scalar, Sequence, visible
from sallyport.manifest.findings import Findings

REFERENCE = "valid-app-config-required"
RESERVED_INDEX = "by-key"
MOST_ATTRIBUTES = 50
MOST_INDEXES = 7
LONGEST_ATTRIBUTE = 30


def check_entities(root: Mapping, findings: Findings) -> None:
    """Names are unique; indexes name attributes; the counts are within the limits."""
    app = root.get("app")
    storage = app.get("storage") if isinstance(app, Mapping) else None
    listed = storage.get("entities") if isinstance(storage, Mapping) else None
    seen: set[str] = set()
    for entity in _mappings(listed):
        name = entity.text("name")
        if name is None:
            continue
        if name.text in seen:
            findings.error(name, REFERENCE, f"Entity '{visible(name.text)}' is declared twice.")
        seen.add(name.text)
        _check_one(entity, name, findings)


def _check_one(entity: Mapping, name: Scalar, findings: Findings) -> None:
    place = f"Entity '{visible(name.text)}'"
    attributes = entity.get("attributes")
    known = list(attributes.entries) if isinstance(attributes, Mapping) else []
    if not known:
        findings.error(name, REFERENCE, f"{place} must contain at least one attribute.")
    if len(known) > MOST_ATTRIBUTES:
        findings.error(
            name,
            REFERENCE,
            f"{place} contains more attributes than the allowed limit of {MOST_ATTRIBUTES}.",
        )
    for attribute in known[:MOST_ATTRIBUTES]:
        if len(attribute) > LONGEST_ATTRIBUTE:
            findings.error(
                name,
                REFERENCE,
                f"{place} attribute name '{visible(attribute)}' exceeds maximum allowed length of "
                f"{LONGEST_ATTRIBUTE}.",
            )
    indexes = entity.get("indexes")
    if not isinstance(indexes, Sequence):
        return
    if len(indexes.items) > MOST_INDEXES:
        findings.error(
            name,
            REFERENCE,
            f"{place} contains more indexes than the allowed limit of {MOST_INDEXES}.",
        )
        return
    names: set[str] = set()
    for index in indexes.items:
        title = index if isinstance(index, Scalar) else None
        if isinstance(index, Mapping):
            title = index.text("name")
        if title is None:
            continue
        if title.text == RESERVED_INDEX:
            message = f"{place} cannot use reserved index name '{RESERVED_INDEX}'."
            findings.error(title, REFERENCE, message)
        if title.text in names:
            message = f"{place} declares the index '{visible(title.text)}' twice."
            findings.error(title, REFERENCE, message)
        names.add(title.text)
        _check_attributes(index, place, known, findings)


def _check_attributes(
    index: Mapping | Scalar | Sequence, place: str, known: list[str], findings: Findings
) -> None:
    used: list[tuple[str, Scalar]] = []
    if isinstance(index, Scalar):
        used = [("index", index)]
    elif isinstance(index, Mapping):
        used = [("index", each) for each in _scalars(index.get("range"))]
        used += [("index partition", each) for each in _scalars(index.get("partition"))]
    for part, attribute in used:
        if attribute.text not in known:
            findings.error(
                attribute,
                REFERENCE,
                f"{place} {part} '{visible(attribute.text)}' must refer to a valid attribute of "
                "the entity.",
            )


def _mappings(listed: object) -> Iterator[Mapping]:
    if isinstance(listed, Sequence):
        yield from (item for item in listed.items if isinstance(item, Mapping))


def _scalars(listed: object) -> list[Scalar]:
    if not isinstance(listed, Sequence):
        return []
    return [item for item in listed.items if isinstance(item, Scalar)]
