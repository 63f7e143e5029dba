"""OpenAPI 3.1 of an app's REST API: its routes, and for each the scopes that a token needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sallyport.manifest.paths import DoubleStar, Literal, Param, Pattern, parse_path, shape
from sallyport.model.access import product_scope
from sallyport.model.api_notes import NO_NOTES, ApiNotes, BodyNotes, FunctionNotes, ParameterNotes
from sallyport.model.manifest import Manifest, Route, ScopeDeclaration

OPENAPI_VERSION = "3.1.0"

_SECURITY = "oauth2"
_JSON = "application/json"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
REFUSALS: Mapping[str, str] = {
    "400": "The path, the query or a header is not in a form that is taken.",
    "401": "There is no access token, or it is not valid any more.",
    "403": "The token lacks a scope, or an admin of the site has not turned on REST APIs.",
    "404": "The site, the app on it or the route does not exist.",
    "405": "The path takes other methods; `Allow` names them.",
    "413": "The body is larger than 5 MB.",
    "415": "The route does not take a body of this type.",
    "429": "There are too many requests; `Retry-After` says how long to wait.",
    "500": "The function failed.",
    "503": "The platform is busy or cannot check the call now; try again.",
    "504": "The function took too long.",
}
"""What the platform may answer in the function's place."""


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
    notes: ApiNotes | None = None,
) -> dict[str, Any]:
    """The OpenAPI document for one installation, or with braces in `base_url` for any.

    `base_url` is what stands before a route's path, contract section (d). Every route needs its
    own scopes and the product's. `*` and `**` become parameters; OpenAPI has no word for `**`, so
    its parameter says that it may hold slashes. `notes` are the developer's own, by handler.
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
        "servers": [_server(base_url)],
        "paths": _paths(manifest, product, notes or {}),
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {
                _SECURITY: {"type": "oauth2", "flows": {"authorizationCode": flow}}
            },
        },
    }


def notes_of(manifest: Manifest, notes: ApiNotes) -> dict[str, FunctionNotes]:
    """The notes of each route, by its key; empty ones where the developer wrote none."""
    handlers = {function.key: function.handler for function in manifest.functions}
    return {
        route.key: notes.get(handlers.get(route.function, ""), NO_NOTES)
        for route in manifest.routes
    }


def _server(base_url: str) -> dict[str, Any]:
    names = re.findall(r"\{([a-z-]+)\}", base_url)
    server: dict[str, Any] = {"url": base_url}
    if names:
        server["variables"] = {name: {"default": name} for name in names}
    return server


def _paths(manifest: Manifest, product: str, notes: ApiNotes) -> dict[str, Any]:
    """Path items. Routes of one shape share an item: OpenAPI forbids two that differ in names."""
    said = notes_of(manifest, notes)
    items: dict[str, Any] = {}
    templates: dict[tuple[str, ...], str] = {}
    for route in manifest.routes:
        pattern = parse_path(route.path)
        template, parameters = path_parameters(pattern, said[route.key])
        first = templates.setdefault(shape(pattern), template)
        item = items.setdefault(first, {"parameters": parameters} if parameters else {})
        item[route.operation.lower()] = _operation(route, product, said[route.key])
    return items


def path_parameters(pattern: Pattern, notes: FunctionNotes) -> tuple[str, list[dict[str, Any]]]:
    """A path as OpenAPI writes it, `/employees/{id}`, and its parameters in order."""
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
        said = notes.path.get(name, ParameterNotes())
        parameters.append(_parameter(name, said.description or description, said))
    return "/" + "/".join(parts), parameters


def _free_name(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}{number}"
    taken.add(name)
    return name


def _parameter(name: str, description: str | None, notes: ParameterNotes) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": name,
        "in": "path",
        "required": True,
        "schema": notes.schema or {"type": "string", "minLength": 1},
    }
    return _with(parameter, description=description, example=notes.example)


def _operation(route: Route, product: str, notes: FunctionNotes) -> dict[str, Any]:
    needs = f"Needs {', '.join((*route.scopes, product_scope(product)))}."
    operation: dict[str, Any] = {
        "operationId": route.key,
        "description": f"{notes.description}\n\n{needs}" if notes.description else needs,
        "security": [{_SECURITY: [*route.scopes, product_scope(product)]}],
        "responses": _responses(notes),
    }
    if notes.summary:
        operation = {"summary": notes.summary, **operation}
    if notes.query:
        operation["parameters"] = [
            _with(
                {
                    "name": name,
                    "in": "query",
                    "required": said.required,
                    "schema": said.schema or {"type": "string"},
                },
                description=said.description,
                example=said.example,
            )
            for name, said in notes.query.items()
        ]
    if route.operation in _WITH_BODY or notes.request is not None:
        said = notes.request
        described = _body(said)
        operation["requestBody"] = _with(described, description=said.description if said else None)
    return operation


def _responses(notes: FunctionNotes) -> dict[str, Any]:
    """The function's own answers before the platform's refusals; 200 where none is told."""
    own = {
        status: {"description": said.description or "The function's answer.", **_body(said)}
        for status, said in notes.responses.items()
    }
    if not any(status.startswith(("2", "3")) for status in own):
        own = {"200": {"description": "The function's answer.", **_body(None)}, **own}
    return {**{status: _refusal(text) for status, text in REFUSALS.items()}, **own}


def _body(notes: BodyNotes | None) -> dict[str, Any]:
    """What a body holds, as `content`."""
    if notes is None:
        return {"content": {_JSON: {"schema": {}}}}
    return {"content": {_JSON: _with({"schema": notes.schema}, example=notes.example)}}


def _with(described: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**described, **{name: it for name, it in more.items() if it is not None and it != ""}}


def _refusal(text: str) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": text, "content": {"application/problem+json": problem}}


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
