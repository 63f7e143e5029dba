"""Rules about routes together: no two match the same calls, and matching stays quick."""

from __future__ import annotations

from sallyport.manifest import messages
from sallyport.manifest.document import Mapping, Scalar, visible
from sallyport.manifest.findings import Findings
from sallyport.manifest.paths import Pattern, parse_path, shape
from sallyport.manifest.rules import items

MOST_SEGMENTS = 10_000


def check_routes(root: Mapping, findings: Findings) -> None:
    """Apply every rule of this file."""
    modules = root.get("modules")
    if not isinstance(modules, Mapping):
        return
    routes = [
        (item, path, pattern)
        for item in items(modules, "apiRoute")
        if (path := item.text("path")) is not None
        and (pattern := _pattern(path, findings)) is not None
    ]
    check_distinct(routes, findings)
    check_size(routes, findings)


_Routes = list[tuple[Mapping, Scalar, Pattern]]


def _pattern(path: Scalar, findings: Findings) -> Pattern | None:
    """The pattern; a parameter named twice is found here, other mistakes by the schema."""
    try:
        return parse_path(path.text)
    except ValueError as error:
        if "more than once" in str(error):
            message = f"apiRoute property path '{visible(path.text)}' {error}"
            findings.error(path, messages.VALID_DOCUMENT, message, "Rename one of them.")
        return None


def check_distinct(routes: _Routes, findings: Findings) -> None:
    """Two routes that match the same calls are an error: `{name}` and `*` match the same."""
    seen: dict[tuple[str, tuple[str, ...]], tuple[str, Scalar]] = {}
    for item, path, pattern in routes:
        operation, key = item.text("operation"), item.text("key")
        if operation is None or key is None:
            continue
        call = (operation.text, shape(pattern))
        if call not in seen:
            seen[call] = (key.text, path)
            continue
        first_key, first_path = seen[call]
        findings.error(
            path,
            messages.VALID_MODULE,
            f"apiRoute '{visible(key.text)}' matches the same calls as "
            f"apiRoute '{visible(first_key)}' on line {first_path.line}: "
            f"{visible(operation.text)} {path.text} and {first_path.text}",
            "Change the path or the operation of one of them, or remove it.",
        )


def check_size(routes: _Routes, findings: Findings) -> None:
    """All paths together have at most 10,000 segments, which bounds the work of one look-up."""
    total = 0
    for _, path, pattern in routes:
        total += len(pattern.segments)
        if total > MOST_SEGMENTS:
            message = f"apiRoute must NOT have more than {MOST_SEGMENTS} path segments in all"
            findings.error(path, messages.VALID_DOCUMENT, message)
            return
