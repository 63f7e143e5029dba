from __future__ import annotations

import json
from typing import Any

from manifest_samples import read, route, with_routes

from sallyport.manifest.openapi import REFUSALS, document
from sallyport.model.api_notes import BodyNotes, FunctionNotes, ParameterNotes
from sallyport.model.manifest import ScopeDeclaration

BASE = "https://sallyport.example/svc/jira/c/apps/a_e"


def described(*routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = read(with_routes(*routes)).manifest
    assert manifest is not None
    found = document(
        manifest,
        [ScopeDeclaration("read:a:custom", "Read all of a.", "Read a")],
        title="A",
        version="1.2",
        product="jira",
        authorization_url="https://sallyport.example/authorize",
        token_url="https://sallyport.example/oauth/token",
        **{"base_url": BASE, **more},
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
    assert set(found["get"]["responses"]) == {"200", *REFUSALS}


NOTES = {
    "index.run": FunctionNotes(
        summary="Read it",
        description="All of it.",
        path={"id": ParameterNotes("Which", schema={"type": "integer"}, example=0)},
        query={"q": ParameterNotes("What", required=True)},
        request=BodyNotes("Sent", {"type": "object"}, {"a": []}),
        responses={"404": BodyNotes("Gone"), "201": BodyNotes("Made", example=False)},
    )
}


def test_notes_stand_where_openapi_has_a_place_for_them() -> None:
    item = described(route("a", "POST", "/a/{id}"), notes=NOTES)["paths"]["/a/{id}"]
    assert item["parameters"] == [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "integer"},
            "description": "Which",
            "example": 0,
        }
    ]
    post = item["post"]
    assert post["summary"] == "Read it"
    assert post["description"].startswith("All of it.\n\nNeeds read:a:custom")
    assert [(each["name"], each["required"]) for each in post["parameters"]] == [("q", True)]
    assert post["requestBody"] == {
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"a": []}}},
        "description": "Sent",
    }
    own = post["responses"]
    assert own["404"]["description"] == "Gone"
    assert own["201"]["content"]["application/json"]["example"] is False
    assert "200" not in own
    assert own["403"]["content"].keys() == {"application/problem+json"}


def test_an_address_of_no_site_says_what_is_to_be_filled_in() -> None:
    base = "https://sallyport.example/svc/jira/{cloud-id}/apps/a_e"
    (server,) = described(route("a", "GET", "/a"), base_url=base)["servers"]
    assert server == {"url": base, "variables": {"cloud-id": {"default": "cloud-id"}}}


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
