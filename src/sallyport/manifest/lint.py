"""Best practices: warnings, each with its reason. `lint` is the whole list.

What a scope should be is the documentation's advice: verb and noun, no catch-all, not one scope
for reading and for writing, at most 20.
"""

from __future__ import annotations

from collections import defaultdict

from sallyport.manifest.custom_scopes import MOST_SCOPES, ScopesRead
from sallyport.manifest.document import Mapping, Node, Sequence
from sallyport.manifest.findings import Findings, Place
from sallyport.manifest.forge import forge_findings
from sallyport.manifest.load import Read
from sallyport.manifest.rules import items
from sallyport.manifest.table import RouteTable, compile_routes
from sallyport.model.manifest import Diagnostic, Manifest, Route
from sallyport.scopes.grammar import verb_noun

BEST_PRACTICE = "best-practice"

_READ_VERBS = frozenset({"read", "view", "list", "get", "search", "browse", "export"})
_WRITE_VERBS = frozenset(
    {"write", "edit", "create", "update", "delete", "remove", "set", "add", "import"}
)
_BROAD_VERBS = frozenset({"admin", "manage", "all", "any", "full", "super"})
_BROAD_NOUNS = frozenset({"all", "any", "everything", "data", "app", "api", "full"})
_DOCUMENTED_MEMORY_MB = range(128, 1025)


def lint(
    read: Read, scopes: ScopesRead | None = None, *, forge: bool = False
) -> tuple[Diagnostic, ...]:
    """What could be better about a valid manifest, sorted by position; nothing about others.

    With `scopes`, what the two files say of each other too (those findings name the file that they
    are in). With `forge`, what would not deploy on Forge, as errors.
    """
    if read.manifest is None or read.root is None:
        return ()
    findings = Findings(read.file)
    routes = _Places(read.root, read.manifest)
    manifest = read.manifest
    lint_scope_names(manifest, routes, findings)
    lint_scope_count(manifest, routes, findings)
    lint_mixed_use(manifest, routes, findings)
    lint_read_routes(manifest, routes, findings)
    lint_unreachable(manifest, routes, findings)
    lint_unused_functions(read.root, findings)
    lint_memory(read.root, manifest, findings)
    lint_origins(manifest, routes, findings)
    if forge:
        forge_findings(read.root, manifest, findings)
    if scopes is None or scopes.scopes is None:
        return findings.sorted()
    lint_undeclared(manifest, scopes, routes, findings)
    return (*findings.sorted(), *_unused_declarations(manifest, scopes))


class _Places:
    """Where each route, and each of its scopes, is written."""

    def __init__(self, root: Mapping, manifest: Manifest) -> None:
        self.root = root
        modules = root.get("modules")
        written = list(items(modules, "apiRoute")) if isinstance(modules, Mapping) else []
        self._items = dict(zip((route.key for route in manifest.routes), written, strict=True))

    def route(self, route: Route) -> Place:
        return self._items[route.key]

    def path(self, route: Route) -> Place:
        return self._items[route.key].get("path") or self._items[route.key]

    def scope(self, route: Route, scope: str) -> Place:
        listed: Node | None = self._items[route.key].get("scopes")
        if isinstance(listed, Sequence):
            return listed.items[route.scopes.index(scope)]
        return self._items[route.key]


def lint_origins(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """A route that every page may call trusts them all with what its callers may do."""
    for route in manifest.routes:
        if route.cors is not None and "*" in route.cors.origins:
            findings.warning(
                places.route(route),
                BEST_PRACTICE,
                f"cors of apiRoute '{route.key}' lets pages of every origin call it",
                "Name the origins that need it, such as https://app.example.com.",
            )


def lint_scope_names(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """A scope says one thing: verb:noun:custom, neither part a catch-all."""
    for scope, route in _first_uses(manifest).items():
        place = places.scope(route, scope)
        parts = verb_noun(scope)
        if parts is None:
            findings.warning(
                place,
                BEST_PRACTICE,
                f"scope '{scope}' is not verb:noun:custom: who consents cannot tell what it allows",
                "Name the action and the object, such as read:employee:custom.",
            )
        elif _is_broad(*parts):
            findings.warning(
                place,
                BEST_PRACTICE,
                f"scope '{scope}' is broader than needed: "
                "a token that needs one route would open whatever is added later",
                "Name what the route does, such as read:employee:custom.",
            )


def lint_scope_count(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """An environment registers at most 20 scopes, contract section (c.2)."""
    uses = _first_uses(manifest)
    if len(uses) > MOST_SCOPES:
        scope, route = list(uses.items())[MOST_SCOPES]
        findings.warning(
            places.scope(route, scope),
            BEST_PRACTICE,
            f"the routes name {len(uses)} scopes: "
            f"an environment registers at most {MOST_SCOPES}, so this cannot be deployed",
            "Share a scope among routes that grant the same permission.",
        )


def lint_mixed_use(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """One scope for reading and for writing gives every reader the power to write."""
    reading: dict[str, Route] = {}
    writing: dict[str, list[Route]] = defaultdict(list)
    for route in manifest.routes:
        for scope in route.scopes:
            if route.operation == "GET":
                reading.setdefault(scope, route)
            else:
                writing[scope].append(route)
    for scope, reader in reading.items():
        for writer in writing[scope]:
            if any(other not in reading for other in writer.scopes):
                continue
            findings.warning(
                places.scope(writer, scope),
                BEST_PRACTICE,
                f"scope '{scope}' opens both {reader.operation} {reader.path} and "
                f"{writer.operation} {writer.path}: whoever may read may also write",
                "Give the writing route a scope of its own, such as write:employee:custom.",
            )


def lint_read_routes(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """A route that reads should not ask for the power to write, nor one that writes for reading."""
    for route in manifest.routes:
        verbs = {parts[0].lower() for scope in route.scopes if (parts := verb_noun(scope))}
        if route.operation == "GET" and verbs and verbs <= _WRITE_VERBS:
            findings.warning(
                places.scope(route, route.scopes[0]),
                BEST_PRACTICE,
                f"GET {route.path} needs only a scope that writes: "
                "a client that only reads would have to ask for too much",
                "Give the route a scope that reads, such as read:employee:custom.",
            )
        elif route.operation != "GET" and verbs and verbs <= _READ_VERBS:
            findings.warning(
                places.scope(route, route.scopes[0]),
                BEST_PRACTICE,
                f"{route.operation} {route.path} needs only a scope that reads: "
                "consent to read would allow a change",
                "Give the route a scope that writes, such as write:employee:custom.",
            )


def lint_unreachable(manifest: Manifest, places: _Places, findings: Findings) -> None:
    """A `**` route none of whose calls is left to it, because others are more specific."""
    table = compile_routes(manifest.routes)
    for route in manifest.routes:
        taken = _taken_by(route, table)
        if taken:
            findings.warning(
                places.path(route),
                BEST_PRACTICE,
                f"no call reaches apiRoute '{route.key}': "
                f"more specific routes take them all ({', '.join(taken)})",
                "Remove the route, or one of the others.",
            )


def _taken_by(route: Route, table: RouteTable) -> list[str]:
    """The routes that take every call of this one; empty where one is left.

    Calls whose free segments equal no literal of any route stand for all: only wildcards can take
    them. Lengths past the longest declared path all fare alike.
    """
    declared = route.path[1:].split("/")
    deep = declared[-1] == "**"
    fixed = declared[:-1] if deep else declared
    longest = max(other.path.count("/") for other in table.routes) + 1
    lengths = range(1, longest - len(fixed) + 2) if deep else range(1)
    free = "\0"
    takers: list[str] = []
    for extra in lengths:
        call = [part if part[0] not in "*{" else free for part in fixed] + [free] * extra
        found = table.find(route.operation, tuple(call))
        if found is None or found.route is route:
            return []
        takers.append(found.route.key)
    return list(dict.fromkeys(takers))


def lint_unused_functions(root: Mapping, findings: Findings) -> None:
    """A function that nothing names."""
    named: set[str] = set()
    modules = root.get("modules")
    tree = modules if isinstance(modules, Mapping) else root
    for kind in tree.entries:
        if kind == "function":
            continue
        for item in items(tree, kind):
            resolver = item.get("resolver")
            for place in (item, resolver):
                function = place.text("function") if isinstance(place, Mapping) else None
                if function is not None:
                    named.add(function.text)
    for item in items(tree, "function"):
        key = item.text("key")
        if key is not None and key.text not in named:
            findings.warning(
                key, BEST_PRACTICE, f"function '{key.text}' is used by no module", "Remove it."
            )


def lint_memory(root: Mapping, manifest: Manifest, findings: Findings) -> None:
    """Documented memory is 128 to 1024 MB, contract section (b.5)."""
    if manifest.runtime.memory_mb in _DOCUMENTED_MEMORY_MB:
        return
    app = root.get("app")
    runtime = app.get("runtime") if isinstance(app, Mapping) else None
    place = runtime.get("memoryMB") if isinstance(runtime, Mapping) else None
    findings.warning(
        place or root,
        BEST_PRACTICE,
        f"app.runtime.memoryMB is {manifest.runtime.memory_mb}: "
        "128 to 1024 is documented, and what is outside may be cut to it",
    )


def lint_undeclared(
    manifest: Manifest, scopes: ScopesRead, places: _Places, findings: Findings
) -> None:
    """A scope that a route names and custom-scopes.yaml does not declare."""
    declared = {scope.name for scope in scopes.scopes or ()}
    for scope, route in _first_uses(manifest).items():
        if scope not in declared:
            findings.warning(
                places.scope(route, scope),
                BEST_PRACTICE,
                f"scope '{scope}' is not declared in {scopes.file}: "
                "a deployment fails unless the environment has it already",
                f"Declare it in {scopes.file} and run sallyport custom-scopes create.",
            )


def _unused_declarations(manifest: Manifest, scopes: ScopesRead) -> tuple[Diagnostic, ...]:
    findings = Findings(scopes.file)
    listed = scopes.root.get("scopes") if scopes.root is not None else None
    used = manifest.custom_scopes
    if isinstance(listed, Mapping):
        for name, entry in listed.entries.items():
            if name not in used:
                findings.warning(
                    entry.key,
                    BEST_PRACTICE,
                    f"scope '{name}' is used by no route: "
                    "once registered it cannot be deleted or renamed",
                    "Remove it until a route needs it.",
                )
    return findings.sorted()


def _first_uses(manifest: Manifest) -> dict[str, Route]:
    """Every scope with the first route that names it."""
    uses: dict[str, Route] = {}
    for route in manifest.routes:
        for scope in route.scopes:
            uses.setdefault(scope, route)
    return uses


def _is_broad(verb: str, noun: str) -> bool:
    return verb.lower() in _BROAD_VERBS or noun.lower() in _BROAD_NOUNS
