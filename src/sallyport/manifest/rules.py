"""Rules about a manifest that its schema cannot say: references, uniqueness, files.

Each rule takes the tree as it is, wrong types and all, and looks only at what it understands, so
that every finding is made in one reading. The words are those of contract section (b.4).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from sallyport.manifest import messages
from sallyport.manifest.document import Mapping, Scalar, Sequence, visible
from sallyport.manifest.entities import check_entities
from sallyport.manifest.findings import Findings
from sallyport.manifest.schema import ecma_pattern, schema
from sallyport.manifest.source import SourceTree, extensions
from sallyport.model.manifest import PYTHON_RUNTIME
from sallyport.scopes.grammar import is_custom
from sallyport.vocab.ids import APP_ARI_PREFIX, is_uuid

LONGEST_FUNCTION_KEY = 23
MOST_GUESSES = 20
RUN_TYPES = ("apiRoute", "function", "webtrigger", "scheduledTrigger", "trigger", "consumer")

_QUIET_TYPES = frozenset({*RUN_TYPES, "endpoint"})
_HANDLER = ecma_pattern(schema("manifest")["$defs"]["function"]["properties"]["handler"]["pattern"])
_OWN_BUNDLER = "manual@2026"


def check(root: Mapping, source: SourceTree | None, findings: Findings) -> None:
    """Apply every rule of this file."""
    modules = root.get("modules")
    tree = modules if isinstance(modules, Mapping) else Mapping(root.line, root.column, 0, False)
    check_app_id(root, findings)
    check_entities(root, findings)
    check_static_outputs(tree, findings)
    check_some_module(root, tree, findings)
    check_module_types(tree, findings)
    check_unique_keys(tree, findings)
    check_function_keys(tree, findings)
    check_references(tree, findings)
    check_handlers(root, tree, source, findings)
    check_unlicensed_access(tree, findings)
    check_permission_scopes(root, findings)
    check_egress(root, findings)


def items(modules: Mapping, kind: str) -> Iterator[Mapping]:
    """The entries of one module type that are mappings."""
    listed = modules.get(kind)
    if isinstance(listed, Sequence):
        yield from (item for item in listed.items if isinstance(item, Mapping))


def check_app_id(root: Mapping, findings: Findings) -> None:
    """The id must hold a UUID before the app can be deployed here."""
    app = root.get("app")
    written = app.text("id") if isinstance(app, Mapping) else None
    if written is None or APP_ARI_PREFIX not in written.text:
        return
    if not is_uuid(written.text.partition(APP_ARI_PREFIX)[2].lower()):
        findings.warning(
            written,
            "valid-app-config-required",
            f"app property id '{visible(written.text)}' does not end in a UUID",
            "Run sallyport register to write the app's id.",
        )


def check_some_module(root: Mapping, modules: Mapping, findings: Findings) -> None:
    """Functions alone do nothing: something must call them."""
    if "connectModules" in root.entries or any(kind != "function" for kind in modules.entries):
        return
    findings.error(
        modules,
        messages.VALID_MODULE,
        "document must have at least 1 module",
        "Declare a route under modules.apiRoute.",
    )


def check_module_types(modules: Mapping, findings: Findings) -> None:
    """A misspelt type is an error; a type that Sallyport does not run is a warning."""
    for kind, entry in modules.entries.items():
        if kind in _QUIET_TYPES:
            continue
        lowered = {name.lower(): name for name in RUN_TYPES}
        close = difflib.get_close_matches(kind.lower()[:64], list(lowered), n=1, cutoff=0.8)
        if close:
            findings.error(
                entry.key,
                messages.VALID_DOCUMENT,
                f"modules should NOT have additional property '{visible(kind)}'",
                f"Did you mean '{lowered[close[0]]}'?",
            )
        else:
            findings.warning(
                entry.key,
                "unsupported-module",
                f"modules of type '{visible(kind)}' have no effect on Sallyport",
            )


def check_unique_keys(modules: Mapping, findings: Findings) -> None:
    """Module keys are unique across all types, functions included, contract section (b.1)."""
    seen: dict[str, Scalar] = {}
    for kind in modules.entries:
        for item in items(modules, kind):
            key = item.text("key")
            if key is None:
                continue
            first = seen.setdefault(key.text, key)
            if first is not key:
                findings.error(
                    key,
                    messages.VALID_MODULE,
                    f"found duplicate module key '{visible(key.text)}'",
                    f"The key is first used on line {first.line}.",
                )


def check_function_keys(modules: Mapping, findings: Findings) -> None:
    """A function key has at most 23 characters."""
    for item in items(modules, "function"):
        key = item.text("key")
        if key is not None and len(key.text) > LONGEST_FUNCTION_KEY:
            findings.error(
                key,
                messages.VALID_MODULE,
                f"The function key exceeds {LONGEST_FUNCTION_KEY} characters: "
                f"‘{visible(key.text)}’.",
            )


def check_references(modules: Mapping, findings: Findings) -> None:
    """What a module names must be declared. Only the first few get a guess of what was meant."""
    guesses = MOST_GUESSES
    for target in ("function", "endpoint"):
        declared = [key.text for item in items(modules, target) if (key := item.text("key"))]
        known = set(declared)
        for kind in modules.entries:
            if kind in {"function", "endpoint"}:
                continue
            for item in items(modules, kind):
                resolver = item.get("resolver")
                places = [item, resolver] if isinstance(resolver, Mapping) else [item]
                for place in places:
                    named = place.text(target)
                    if named is None or named.text in known:
                        continue
                    guesses -= 1
                    meant = messages.nearest(named.text, declared[:200]) if guesses >= 0 else None
                    findings.error(
                        named,
                        messages.VALID_MODULE,
                        f"{visible(kind)} references undefined {target} module "
                        f"with key '{visible(named.text)}'",
                        f"Did you mean '{visible(meant)}'?"
                        if meant
                        else f"Declare it under modules.{target}.",
                    )


def check_static_outputs(modules: Mapping, findings: Findings) -> None:
    """A static web trigger lists what it may answer, each under a key of its own."""
    for item in items(modules, "webtrigger"):
        response = item.get("response")
        if not isinstance(response, Mapping):
            continue
        kind, outputs = response.text("type"), response.get("outputs")
        if kind is not None and kind.text == "static" and outputs is None:
            message = "webtrigger response must have required property 'outputs'"
            findings.error(kind, messages.VALID_DOCUMENT, message)
        seen: set[str] = set()
        for output in outputs.items if isinstance(outputs, Sequence) else ():
            key = output.text("key") if isinstance(output, Mapping) else None
            if key is not None and key.text in seen:
                message = f"webtrigger response output key '{visible(key.text)}' is used twice"
                findings.error(key, messages.VALID_DOCUMENT, message)
            elif key is not None:
                seen.add(key.text)


def check_handlers(
    root: Mapping, modules: Mapping, source: SourceTree | None, findings: Findings
) -> None:
    """A handler names a function that can be looked up, in a file that is there."""
    runtime = _runtime_name(root)
    folder = code_folder(root)
    for item in items(modules, "function"):
        handler = item.text("handler")
        if handler is None or _HANDLER.search(handler.text) is None:
            continue
        module, _, function = handler.text.rpartition(".")
        place = f"function handler property '{visible(handler.text)}'"
        if runtime == PYTHON_RUNTIME and not function.isidentifier():
            message = f"{place} {messages.BAD_HANDLER}"
            fix = "The function is a Python name: letters, digits and '_'."
            findings.error(handler, messages.VALID_DOCUMENT, message, fix)
        if source is None:
            continue
        endings = extensions(runtime)
        if not any(source.has(f"{folder}{module}.{ending}") for ending in endings):
            findings.error(
                handler,
                messages.VALID_DOCUMENT,
                f"{place} cannot find associated file with name "
                f"'{visible(module)}.({'|'.join(endings)})'",
                f"Add {folder}{visible(module)}.{endings[-1]}.",
            )


def _runtime_name(root: Mapping) -> str | None:
    app = root.get("app")
    runtime = app.get("runtime") if isinstance(app, Mapping) else None
    name = runtime.text("name") if isinstance(runtime, Mapping) else None
    return name.text if name is not None else None


def code_folder(root: Mapping | None) -> str:
    """`src/`, or `app.package.path` where the app brings its own bundle, contract section (b.5)."""
    app = root.get("app") if root is not None else None
    package = app.get("package") if isinstance(app, Mapping) else None
    if isinstance(package, Mapping):
        bundler, path = package.text("bundler"), package.text("path")
        if bundler is not None and bundler.text == _OWN_BUNDLER and path is not None:
            return re.sub(r"^\./|/+$", "", path.text) + "/"
    return "src/"


def check_unlicensed_access(modules: Mapping, findings: Findings) -> None:
    """Routes do not take `unlicensedAccess`, contract section (b.1)."""
    for item in items(modules, "apiRoute"):
        entry = item.entries.get("unlicensedAccess")
        if entry is not None:
            findings.error(
                entry.key,
                messages.VALID_DOCUMENT,
                "apiRoute does not support the following Forge properties - 'unlicensedAccess'",
                "Remove it.",
            )


def check_permission_scopes(root: Mapping, findings: Findings) -> None:
    """Custom scopes are declared in custom-scopes.yaml, never as permissions of the app."""
    permissions = root.get("permissions")
    scopes = permissions.get("scopes") if isinstance(permissions, Mapping) else None
    listed: list[Scalar] = []
    if isinstance(scopes, Sequence):
        listed = [item for item in scopes.items if isinstance(item, Scalar)]
    elif isinstance(scopes, Mapping):
        listed = [entry.key for entry in scopes.entries.values()]
    for scope in listed:
        if is_custom(scope.text):
            findings.error(
                scope,
                messages.VALID_PERMISSIONS,
                f"Invalid 'scopes' permission in the manifest.yml file - '{scope.text}'. "
                "Learn more about permissions at: https://go.atlassian.com/forge-permissions.",
                "Declare custom scopes in custom-scopes.yaml and name them in the route's scopes.",
            )


def check_egress(root: Mapping, findings: Findings) -> None:
    """Egress entries name declared remotes; of an address only the host counts, section (l.4)."""
    remotes = root.get("remotes")
    known = {
        key.text
        for item in (remotes.items if isinstance(remotes, Sequence) else [])
        if isinstance(item, Mapping) and (key := item.text("key")) is not None
    }
    for entry in _backend(root):
        address = entry
        if isinstance(entry, Mapping):
            remote, written = entry.text("remote"), entry.text("address")
            if remote is not None and remote.text not in known:
                findings.error(
                    remote,
                    messages.VALID_PERMISSIONS,
                    f"permissions reference undefined remote with key '{visible(remote.text)}'",
                    "Declare it under remotes.",
                )
            if written is None:
                continue
            address = written
        if isinstance(address, Scalar) and _has_path(address.text):
            findings.warning(
                address,
                messages.VALID_PERMISSIONS,
                f"the path of '{visible(address.text)}' is ignored: the whole host is allowed",
                "Write the host alone.",
            )


def _backend(root: Mapping) -> list[Mapping | Scalar | Sequence]:
    node: Mapping | Scalar | Sequence | None = root
    for part in ("permissions", "external", "fetch", "backend"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node.items if isinstance(node, Sequence) else []


def _has_path(address: str) -> bool:
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
    except ValueError:
        return False
    return parts.path not in {"", "/"}
