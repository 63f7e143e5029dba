"""Writing an app id into a manifest without touching any other byte."""

from __future__ import annotations

from typing import Any

from sallyport.manifest import document
from sallyport.manifest.document import Document, Mapping, Scalar, Unreadable
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import APP_ARI_PREFIX, is_uuid

_BOM = b"\xef\xbb\xbf"
_INDENT = "  "


def with_app_id(data: bytes, ari: str) -> bytes:
    """The manifest with `ari` as its `app.id`; comments, order and line ends stay as they are.

    An id that is there is replaced, a missing one becomes the first entry of `app`.
    Raises Refused where the bytes are no manifest, and ValueError where `ari` is no app ARI.
    """
    if not ari.startswith(APP_ARI_PREFIX) or not is_uuid(ari.removeprefix(APP_ARI_PREFIX)):
        raise ValueError(f"not an app ARI: {ari}")
    before = _composed(data)
    start, end, text = _edit(before, ari)
    edited = (before.text[:start] + text + before.text[end:]).encode()
    result = (_BOM if data.startswith(_BOM) else b"") + edited
    _check(before, _composed(result), ari)
    return result


def _composed(data: bytes) -> Document:
    try:
        composed = document.compose(data)
    except Unreadable as unreadable:
        raise _refused(unreadable.reason, unreadable.line) from None
    for fault in composed.faults:
        raise _refused(fault.reason, fault.line)
    return composed


def _edit(composed: Document, ari: str) -> tuple[int, int, str]:
    """What to put between which offsets of the text."""
    newline = "\r\n" if "\r\n" in composed.text else "\n"
    root = composed.root
    app = root.get("app")
    if app is None:
        at = _first_key(root)
        margin = " " * (root.column - 1)
        block = f"app:{newline}{margin}{_INDENT}id: {ari}{newline}{margin}"
        return (at, at, f'app: {{id: "{ari}"}}, ') if root.flow else (at, at, block)
    if isinstance(app, Mapping):
        return _edit_app(composed.text, app, ari, newline)
    if isinstance(app, Scalar) and app.value is None:
        colon = _after_colon(composed.text, root, "app")
        margin = " " * (root.column - 1) + _INDENT
        text = f' {{id: "{ari}"}}' if root.flow else f"{newline}{margin}id: {ari}"
        return colon, app.end if app.text else colon, text
    raise _refused("app is not a mapping", app.line)


def _edit_app(text: str, app: Mapping, ari: str, newline: str) -> tuple[int, int, str]:
    written = app.get("id")
    if written is None:
        if not app.entries:
            return app.start + 1, app.start + 1, f'id: "{ari}"'
        at = _first_key(app)
        margin = " " * (app.column - 1)
        return at, at, f'id: "{ari}", ' if app.flow else f"id: {ari}{newline}{margin}"
    if not isinstance(written, Scalar):
        raise _refused("app.id is not a string", written.line)
    if written.plain and not written.text:
        colon = _after_colon(text, app, "id")
        return colon, colon, f' "{ari}"' if app.flow else f" {ari}"
    quote = text[written.start]
    if quote in "|>":
        return written.start, written.end, ari + newline
    if quote in "'\"":
        return written.start, written.end, f"{quote}{ari}{quote}"
    return written.start, written.end, f'"{ari}"' if app.flow else ari


def _after_colon(text: str, mapping: Mapping, key: str) -> int:
    """Where an empty value would stand; the parser places it at whatever follows."""
    return text.index(":", mapping.entries[key].key.end) + 1


def _first_key(mapping: Mapping) -> int:
    return next(iter(mapping.entries.values())).key.start


def _check(before: Document, after: Document, ari: str) -> None:
    """The edit changed the id and nothing else; whatever the layout was."""
    wanted: dict[str, Any] = document.to_data(before.root)
    wanted["app"] = {**(wanted.get("app") or {}), "id": ari}
    if document.to_data(after.root) != wanted:
        raise _refused("its layout leaves no room for app.id", before.root.line)


def _refused(reason: str, line: int) -> Refused:
    return Refused(
        Reason.MANIFEST_INVALID,
        f"manifest.yml failed to parse content - {reason}",
        fix=f"Mend line {line} of the manifest and try again.",
    )
