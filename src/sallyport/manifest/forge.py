"""What runs on Sallyport but would not deploy on Forge, contract sections (b.1) and (b.4)."""

from __future__ import annotations

import re

from sallyport.manifest.document import Mapping, Scalar
from sallyport.manifest.findings import Findings, Place
from sallyport.manifest.rules import items
from sallyport.model.manifest import NODE_RUNTIMES, Manifest

FORGE_COMPATIBLE = "forge-compatible"
OWN_FIELDS = ("rateLimit", "cors")
FORGE_PATH_PATTERN = r"^/[a-zA-Z0-9]+(/[a-zA-Z0-9]+|/\*)*/\*\*$|^/[a-zA-Z0-9]+(/[a-zA-Z0-9]+|/\*)*$"

_FORGE_PATH = re.compile(FORGE_PATH_PATTERN.replace("$", r"\Z"), re.ASCII)


def forge_findings(root: Mapping, manifest: Manifest, findings: Findings) -> None:
    """Apply every rule of this file to a valid manifest."""
    check_runtime(root, manifest, findings)
    modules = root.get("modules")
    if isinstance(modules, Mapping):
        for item in items(modules, "apiRoute"):
            check_path(item, findings)
            check_fields(item, findings)
    check_app_id(root, manifest, findings)


def check_runtime(root: Mapping, manifest: Manifest, findings: Findings) -> None:
    """Forge runs Node only."""
    if manifest.runtime.name in NODE_RUNTIMES:
        return
    names = ", ".join(f"'{name}'" for name in NODE_RUNTIMES)
    findings.error(
        _app_place(root, "runtime", "name"),
        FORGE_COMPATIBLE,
        f"app runtime property name '{manifest.runtime.name}' allowed values are {names}",
        "Write the functions for Node to deploy them on Forge.",
    )


def check_path(item: Mapping, findings: Findings) -> None:
    """Forge's paths hold letters and digits, `*` and `**`; no `{name}`, `-`, `_`, `.` or `~`."""
    path = item.text("path")
    if path is None or _FORGE_PATH.match(path.text) is not None:
        return
    near = re.sub(r"\{[^}]*\}", "*", path.text)
    near = re.sub(r"[-_.~]+(\w)?", lambda found: (found[1] or "").upper(), near)
    fix = f"Write {near} instead." if _FORGE_PATH.match(near) else None
    findings.error(
        path,
        FORGE_COMPATIBLE,
        f"apiRoute property path '{path.text}' must match pattern \"{FORGE_PATH_PATTERN}\"",
        fix,
    )


def check_fields(item: Mapping, findings: Findings) -> None:
    """Forge refuses fields that only Sallyport knows."""
    for name in OWN_FIELDS:
        if name in item.entries:
            findings.error(
                item.entries[name].key,
                FORGE_COMPATIBLE,
                f"apiRoute should NOT have additional property '{name}'",
                "Remove it to deploy the app on Forge.",
            )


def check_app_id(root: Mapping, manifest: Manifest, findings: Findings) -> None:
    """Forge deploys registered apps only."""
    if manifest.app_id is None:
        findings.error(
            _app_place(root),
            FORGE_COMPATIBLE,
            "app has no id of a registered app",
            "Register the app on Forge; the id that Sallyport gives is not known there.",
        )


def _app_place(root: Mapping, *keys: str) -> Place:
    place: Place = root.entries["app"].key
    node = root.get("app")
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
        if isinstance(node, (Mapping, Scalar)):
            place = node
    return place
