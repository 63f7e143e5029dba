from __future__ import annotations

import json
from typing import Any

from manifest_samples import read, route, with_routes

from sallyport.manifest.openapi import document
from sallyport.model.manifest import ScopeDeclaration

BASE = "https://sallyport.example/svc/jira/c/apps/a_e"


def described(*routes: dict[str, Any]) -> dict[str, Any]:
    manifest = read(with_routes(*routes)).manifest
    assert manifest is not None
    found = document(
        manifest,
        [ScopeDeclaration("read:a:custom", "Read all of a.", "Read a")],
        title="A",
        version="1.2",
        base_url=BASE,
        product="jira",
        authorization_url="https://sallyport.example/authorize",
        token_url="https://sallyport.example/oauth/token",
    )
    json.dumps(found)
    return found


def test_the_document_says_where_and_what() -> None:
    found = described(route("get-a", "GET", "/a"))
    assert found["openapi"] == "3.1.0"
    assert found["info"] == {"title": "A", "version": "1.2"}
    assert found["servers"] == [{"url": BASE}]
    flow = found["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == "https://sallyport.example/authorize"
    assert flow["scopes"] == {
        "read:a:custom": "Read a",
        "read:forge-app:jira": "Call apps on jira",
    }


def test_each_route_has_its_own_security() -> None:
    found = described(
        route("get-a", "GET", "/a"), route("put-a", "PUT", "/a", "read:a:custom", "write:a:custom")
    )["paths"]["/a"]
    assert found["get"]["security"] == [{"oauth2": ["read:a:custom", "read:forge-app:jira"]}]
    assert found["put"]["security"] == [
        {"oauth2": ["read:a:custom", "write:a:custom", "read:forge-app:jira"]}
    ]
    assert "requestBody" in found["put"]
    assert "requestBody" not in found["get"]
    assert found["get"]["operationId"] == "get-a"
    assert set(found["get"]["responses"]) == {"200", "401", "403", "404", "429", "500"}


def test_wildcards_become_parameters() -> None:
    found = described(route("a", "GET", "/a/{segment}/*/*/**"))["paths"]
    ((path, item),) = found.items()
    assert path == "/a/{segment}/{segment2}/{segment3}/{rest}"
    assert [p["name"] for p in item["parameters"]] == ["segment", "segment2", "segment3", "rest"]
    assert all(p["required"] and p["in"] == "path" for p in item["parameters"])


def test_routes_of_one_shape_share_a_path() -> None:
    """OpenAPI forbids templated paths that differ in the names alone."""
    found = described(route("a", "GET", "/a/{x}"), route("b", "DELETE", "/a/{y}"))["paths"]
    assert list(found) == ["/a/{x}"]
    assert set(found["/a/{x}"]) == {"parameters", "get", "delete"}


def test_every_reference_leads_somewhere() -> None:
    found = described(route("a", "GET", "/a"))
    references = set()

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            references.update(v for k, v in node.items() if k == "$ref")
            for value in node.values():
                collect(value)

    collect(found)
    assert references == {"#/components/schemas/Problem"}
    assert "Problem" in found["components"]["schemas"]
