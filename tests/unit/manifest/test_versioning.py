"""Contract section (k): what makes a major version."""

from __future__ import annotations

from typing import Any

import pytest
from manifest_samples import MANIFEST, manifest, read, route, with_app, with_modules, with_routes

from sallyport.manifest.versioning import needs_major
from sallyport.model.manifest import Manifest


def model(data: dict[str, Any]) -> Manifest:
    found = read(data).manifest
    assert found is not None
    return found


def permitted(**permissions: Any) -> dict[str, Any]:
    return manifest(permissions=permissions)


def backend(*entries: Any) -> dict[str, Any]:
    return permitted(external={"fetch": {"backend": list(entries)}})


def trigger(kind: str | None) -> dict[str, Any]:
    outputs = {"outputs": [{"key": "ok", "statusCode": 200}]} if kind == "static" else {}
    response = {"response": {"type": kind, **outputs}} if kind else {}
    return with_modules(webtrigger=[{"key": "w", "function": "run", **response}])


def remotes(*urls: str, **settings: Any) -> dict[str, Any]:
    listed = [{"key": f"r{n}", "baseUrl": url, **settings} for n, url in enumerate(urls)]
    return manifest(remotes=listed)


def providers(**ids: str) -> dict[str, Any]:
    return manifest(providers={"auth": [{"key": k, "clientId": v} for k, v in ids.items()]})


MAJOR = [
    (MANIFEST, permitted(scopes=["a"]), "permissions.scopes adds a"),
    (permitted(scopes=["a"]), MANIFEST, "permissions.scopes removes a"),
    (
        permitted(scopes=["a"]),
        permitted(scopes={"a": {"allowImpersonation": True}}),
        "permissions.scopes lets a impersonate users",
    ),
    (MANIFEST, backend("x.example"), "permissions.external.fetch.backend adds x.example"),
    (
        backend({"address": "x.example"}),
        backend({"address": "x.example", "category": "analytics"}),
        "permissions.external.fetch.backend changes the category of x.example",
    ),
    (
        backend({"address": "x.example", "inScopeEUD": False}),
        backend({"address": "x.example", "inScopeEUD": True}),
        "permissions.external.fetch.backend puts end-user data in scope for x.example",
    ),
    (
        MANIFEST,
        permitted(external={"images": ["x.example"]}),
        "permissions.external.images adds x.example",
    ),
    (
        MANIFEST,
        permitted(content={"scripts": ["unsafe-inline"]}),
        "permissions.content adds scripts:unsafe-inline",
    ),
    (MANIFEST, trigger("dynamic"), "webtrigger w is new and dynamic"),
    (MANIFEST, trigger(None), "webtrigger w is new and dynamic"),
    (trigger("static"), trigger("dynamic"), "webtrigger w becomes dynamic"),
    (MANIFEST, providers(p="1"), "providers adds p"),
    (providers(p="1"), MANIFEST, "providers removes p"),
    (providers(p="1"), providers(p="2"), "providers changes the client id of p"),
    (MANIFEST, remotes("https://x.example"), "remotes adds r0"),
    (remotes("https://x.example"), remotes("https://y.example"), "remotes changes r0"),
    (
        remotes("https://x.example"),
        remotes("https://x.example", operations=["storage"]),
        "remotes changes r0",
    ),
    (MANIFEST, with_app(licensing={"enabled": True}), "app.licensing is turned on"),
    (
        MANIFEST,
        permitted(enforcement="app-managed"),
        "permissions.enforcement becomes app-managed",
    ),
]


@pytest.mark.parametrize(("old", "new", "reason"), MAJOR)
def test_major(old: dict[str, Any], new: dict[str, Any], reason: str) -> None:
    assert needs_major(model(old), model(new)) == (reason,)


def test_a_swapped_scope_has_two_reasons() -> None:
    swapped = needs_major(model(permitted(scopes=["a"])), model(permitted(scopes=["b"])))
    assert swapped == ("permissions.scopes adds b", "permissions.scopes removes a")


MINOR = [
    (MANIFEST, MANIFEST),
    (MANIFEST, with_routes(route("a", "GET", "/a"), route("b", "POST", "/b", "write:b:custom"))),
    (MANIFEST, with_routes(route("a", "DELETE", "/other", "delete:a:custom"))),
    (backend("x.example"), MANIFEST),
    (backend("x.example", "y.example"), backend("y.example", "x.example")),
    (permitted(scopes=["a", "b"]), permitted(scopes={"b": {}, "a": {}})),
    (permitted(scopes={"a": {"allowImpersonation": True}}), permitted(scopes=["a"])),
    (MANIFEST, trigger("static")),
    (trigger("dynamic"), trigger("static")),
    (remotes("https://x.example"), MANIFEST),
    (with_app(licensing={"enabled": True}), MANIFEST),
    (MANIFEST, with_app(name="Another name")),
    (MANIFEST, with_app(runtime={"name": "nodejs22.x", "memoryMB": 1024})),
]


@pytest.mark.parametrize(("old", "new"), MINOR)
def test_minor(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert needs_major(model(old), model(new)) == ()
