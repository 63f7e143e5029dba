"""OpenAPI 3.1 of an app's REST API: its routes, and for each the scopes that a token needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sallyport.manifest.paths import DoubleStar, Literal, Param, Pattern, parse_path, shape
from sallyport.model.access import product_scope
from sallyport.model.manifest import Manifest, Route, ScopeDeclaration

OPENAPI_VERSION = "3.1.0"

_SECURITY = "oauth2"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REFUSALS = {
    "401": "There is no valid access token.",
    "403": "The token lacks a scope, or an admin has not turned on REST APIs.",
    "404": "There is no such route here.",
    "429": "There are too many requests.",
    "500": "The function failed.",
}


def document(
    manifest: Manifest,
    scopes: Iterable[ScopeDeclaration],
    *,
    title: str,
    version: str,
    base_url: str,
    product: str,
    authorization_url: str,
    token_url: str,
) -> dict[str, Any]:
    """The OpenAPI document for one installation.

    `base_url` is what stands before a route's path, contract section (d). Every route needs its
    own scopes and the product's. `*` and `**` become parameters; OpenAPI has no word for `**`, so
    its parameter says that it may hold slashes.
    """
    names = {scope.name: scope.display_name or scope.description for scope in scopes}
    described = {scope: names.get(scope, scope) for scope in sorted(manifest.custom_scopes)}
    described[product_scope(product)] = f"Call apps on {product}"
    flow = {
        "authorizationUrl": authorization_url,
        "tokenUrl": token_url,
        "refreshUrl": token_url,
        "scopes": described,
    }
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": version},
        "servers": [{"url": base_url}],
        "paths": _paths(manifest, product),
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {
                _SECURITY: {"type": "oauth2", "flows": {"authorizationCode": flow}}
            },
        },
    }


def _paths(manifest: Manifest, product: str) -> dict[str, Any]:
    """Path items. Routes of one shape share an item: OpenAPI forbids two that differ in names."""
    items: dict[str, Any] = {}
    templates: dict[tuple[str, ...], str] = {}
    for route in manifest.routes:
        pattern = parse_path(route.path)
        template, parameters = _template(pattern)
        first = templates.setdefault(shape(pattern), template)
        item = items.setdefault(first, {"parameters": parameters} if parameters else {})
        item[route.operation.lower()] = _operation(route, product)
    return items


def _template(pattern: Pattern) -> tuple[str, list[dict[str, Any]]]:
    taken = set(pattern.names)
    parts = []
    parameters = []
    for segment in pattern.segments:
        if isinstance(segment, Literal):
            parts.append(segment.text)
            continue
        if isinstance(segment, Param):
            name, description = segment.name, None
        elif isinstance(segment, DoubleStar):
            name, description = _free_name("rest", taken), "One or more segments, with slashes."
        else:
            name, description = _free_name("segment", taken), "One segment."
        parts.append(f"{{{name}}}")
        parameters.append(_parameter(name, description))
    return "/" + "/".join(parts), parameters


def _free_name(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}{number}"
    taken.add(name)
    return name


def _parameter(name: str, description: str | None) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    if description is not None:
        parameter["description"] = description
    return parameter


def _operation(route: Route, product: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.key,
        "description": f"Needs {', '.join((*route.scopes, product_scope(product)))}.",
        "security": [{_SECURITY: [*route.scopes, product_scope(product)]}],
        "responses": {
            "200": {"description": "The function's answer.", "content": _JSON},
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }
    if route.operation in _WITH_BODY:
        operation["requestBody"] = {"content": _JSON}
    return operation


def _refusal(text: str) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": text, "content": {"application/problem+json": problem}}


_JSON: Mapping[str, Any] = {"application/json": {"schema": {}}}
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string"},
        "fix": {"type": "string"},
        "decision_id": {"type": "string"},
        "trace_id": {"type": "string"},
        "required_scopes": {"type": "array", "items": {"type": "string"}},
        "missing_scopes": {"type": "array", "items": {"type": "string"}},
    },
}
