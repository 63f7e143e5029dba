"""A small valid manifest, to be bent by tests."""

from __future__ import annotations

import copy
import json
from typing import Any

from sallyport.manifest.load import Read, read_manifest
from sallyport.model.manifest import Diagnostic

ROUTE: dict[str, Any] = {
    "key": "get-a",
    "path": "/a",
    "operation": "GET",
    "function": "run",
    "accept": ["application/json"],
    "scopes": ["read:a:custom"],
}
MANIFEST: dict[str, Any] = {
    "app": {
        "id": "ari:cloud:ecosystem::app/11111111-2222-4333-8444-555555555555",
        "runtime": {"name": "python3"},
    },
    "modules": {
        "apiRoute": [ROUTE],
        "function": [{"key": "run", "handler": "index.run"}],
    },
}
GONE = object()


def manifest(**parts: Any) -> dict[str, Any]:
    """The sample with other top-level parts; `GONE` removes one."""
    return _changed(MANIFEST, parts)


def with_route(**fields: Any) -> dict[str, Any]:
    """The sample with fields of its route changed."""
    return with_routes(_changed(ROUTE, fields))


def with_routes(*routes: Any) -> dict[str, Any]:
    return with_modules(apiRoute=list(routes))


def with_modules(**modules: Any) -> dict[str, Any]:
    """The sample with module lists replaced, or removed by `GONE`."""
    return manifest(modules=_changed(MANIFEST["modules"], modules))


def with_function(**fields: Any) -> dict[str, Any]:
    return with_modules(function=[_changed(MANIFEST["modules"]["function"][0], fields)])


def with_app(**fields: Any) -> dict[str, Any]:
    return manifest(app=_changed(MANIFEST["app"], fields))


def route(key: str, operation: str, path: str, *scopes: str) -> dict[str, Any]:
    chosen = list(scopes or ["read:a:custom"])
    return _changed(ROUTE, {"key": key, "operation": operation, "path": path, "scopes": chosen})


def read(data: dict[str, Any], **options: Any) -> Read:
    """The data read as the JSON text that it is; JSON is YAML."""
    return read_manifest(json.dumps(data, indent=1).encode(), **options)


def messages(data: dict[str, Any], **options: Any) -> list[str]:
    return [found.message for found in read(data, **options).diagnostics]


def errors(diagnostics: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    return [(d.reference, d.message) for d in diagnostics if d.level == "error"]


def _changed(original: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**copy.deepcopy(original), **changes}
    return {key: value for key, value in merged.items() if value is not GONE}
