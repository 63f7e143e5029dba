"""T-TEN: what belongs to an app or a site is not found by those who have no part in it.

The endpoints come from the API's own description, so a new one is tested from its first day; one
that takes a body, or that is neither guarded, the operator's nor everybody's own, and is not listed
here, fails the test. Planted bugs that these tests were seen to fail on: an integration shown to
whoever has its client id; an operator's endpoint that asks nobody; a request for a service account
found by its client id alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from app_folder import manifest, upload

from serving import Platform, serving

BODIES: dict[tuple[str, str], Any] = {
    ("put", "/apps/{app_id}/members/{account}"): {"role": "admin"},
    ("post", "/apps/{app_id}/environments"): {"key": "qa"},
    ("post", "/apps/{app_id}/environments/{environment}/custom-scopes"): {
        "scopes": [{"name": "read:x:custom", "description": "x"}]
    },
    ("put", "/apps/{app_id}/environments/{environment}/variables/{key}"): {"value": "x"},
    ("post", "/installations/{installation_id}/web-triggers"): {"key": "hook"},
    ("put", "/admin/sites/{site}/members/{account}"): {"role": "admin"},
    ("put", "/admin/sites/{site}/approvals"): {"required": True},
    ("put", "/admin/sites/{site}/approvals/{approval_id}"): {"approved": [], "reason": "x"},
    ("post", "/admin/sites/{site}/integrations/{client_id}/take-back"): {
        "app_id": "00000000-0000-4000-8000-000000000000",
        "environment": "development",
        "scopes": ["read:employee:custom"],
        "reason": "x",
    },
    ("post", "/admin/sites/{site}/service-accounts"): {
        "name": "Robot",
        "app_id": "00000000-0000-4000-8000-000000000000",
        "environment": "development",
        "scopes": ["read:employee:custom"],
    },
    ("put", "/admin/sites/{site}/service-accounts/{client_id}/keys"): {
        "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]
    },
    ("patch", "/integrations/{client_id}"): {"name": "Stolen"},
    ("put", "/integrations/{client_id}/links"): {
        "site": "acme.test",
        "app_id": "00000000-0000-4000-8000-000000000000",
        "environment": "development",
        "scopes": ["read:employee:custom"],
    },
    ("put", "/integrations/{client_id}/keys"): {
        "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]
    },
    ("post", "/operator/organizations"): {"name": "Evil"},
    ("post", "/operator/products"): {"key": "evil", "name": "Evil"},
    ("patch", "/operator/products/{product}"): {"name": "Evil"},
    ("post", "/operator/sites"): {
        "organization_id": "00000000-0000-4000-8000-000000000000",
        "host": "evil.test",
        "name": "Evil",
        "products": ["jira"],
    },
    ("put", "/operator/sites/{site}/members/{account}"): {"role": "admin"},
    ("post", "/operator/accounts"): {"email": "evil@evil.test", "name": "Evil"},
    ("patch", "/operator/accounts/{account}"): {"operator": True},
    ("post", "/operator/accounts/{account}/api-tokens"): {"label": "evil"},
    ("post", "/operator/keys"): {"now": True},
    ("put", "/admin/sites/{site}/apps/{app_id}/environments/{environment}/rest-apis"): {
        "enabled": True
    },
}
QUERIES = {
    ("delete", "/integrations/{client_id}/links"): {
        "site": "acme.test",
        "app_id": "00000000-0000-4000-8000-000000000000",
        "environment": "development",
    }
}
DEPLOYMENT = ("post", "/apps/{app_id}/environments/{environment}/deployments")
GUARDED = (
    "/apps/{app_id}",
    "/admin/sites/{site}",
    "/installations/{installation_id}",
    "/web-triggers",
    "/sites/{site}",
    "/admin/organizations/{organization_id}",
    "/integrations/{client_id}",
    "/service-accounts/requests/{client_id}",
    "/grants/{grant_id}",
    "/decisions/{decision_id}",
    "/me/api-tokens/{token_id}",
    "/me/sessions/{session_id}",
)
"""To a stranger these are not there."""

OPERATORS = "/operator/"

OPEN = {"post /setup", "post /login"}
"""For people who cannot have signed in yet."""

EVERYBODYS = {
    "get /me",
    "put /me/password",
    "get /me/api-tokens",
    "post /me/api-tokens",
    "get /me/sessions",
    "delete /me/sessions",
    "get /sites",
    "get /organizations",
    "post /apps",
    "get /apps",
    "post /installations",
    "get /installations",
    "post /integrations",
    "get /integrations",
    "post /service-accounts/requests",
    "get /service-accounts/requests",
    "get /grants",
}
"""No id of anybody's in the path: each acts on his own; what bodies name is tested elsewhere."""


class World:
    """An app that is installed on a site, and a stranger to both."""

    def __init__(self, platform: Platform) -> None:
        developer = platform.make_account("developer@acme.test")
        admin = platform.make_account("admin@acme.test")
        self.stranger = platform.make_account("stranger@other.test")
        self.anonymous = platform.client()
        self.clients = (developer, admin, self.stranger, self.anonymous)
        site = platform.make_site(
            "acme.test", admins=["admin@acme.test"], members=["developer@acme.test"]
        )
        platform.make_site("other.test", admins=["stranger@other.test"])
        app_id = _ok(developer.post("/apps", json={"name": "People"}))["app_id"]
        environment = f"/apps/{app_id}/environments/development"
        scopes = {"scopes": [{"name": "read:employee:custom", "description": "x"}]}
        _ok(developer.post(f"{environment}/custom-scopes", json=scopes))
        self.archive = upload(manifest(app_id))
        zipped = {"Content-Type": "application/zip"}
        _ok(developer.post(f"{environment}/deployments", content=self.archive, headers=zipped))
        wanted = {"app_id": app_id, "environment": "development", "site": "acme.test"}
        made = _ok(admin.post("/installations", json={**wanted, "product": "jira"}))
        link = {**wanted, "scopes": ["read:employee:custom"]}
        client = {"name": "Sync", "redirect_uris": ["https://client.test/cb"], "link": link}
        integration = _ok(developer.post("/integrations", json=client))
        asked = _ok(developer.post("/service-accounts/requests", json={**link, "name": "Robot"}))
        self.asked = asked["client_id"]
        self.names = {
            "organization_id": platform.organization_id,
            "decision_id": "00000000-0000-4000-8000-000000000000",
            "token_id": "00000000-0000-4000-8000-000000000000",
            "session_id": "00000000-0000-4000-8000-000000000000",
            "product": "jira",
            "kid": "x",
            "app_id": app_id,
            "environment": "development",
            "installation_id": made["installation_id"],
            "site": site["site_id"],
            "account": "developer@acme.test",
            "key": "KEY",
            "version": "1.1",
            "old": "1.1",
            "client_id": integration["client_id"],
            "trigger_id": "00000000-0000-4000-8000-000000000000",
            "grant_id": "00000000-0000-4000-8000-000000000000",
            "approval_id": "00000000-0000-4000-8000-000000000000",
        }
        paths = _ok(developer.get("/openapi.json"))["paths"]
        self.every = [
            (method, path, operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
        ]
        self.endpoints = [each for each in self.every if each[1].startswith(GUARDED)]
        self.operators = [each for each in self.every if each[1].startswith(OPERATORS)]


def _ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("platform")) as platform:
        assert platform.claim().status_code == 201
        made = World(platform)
        yield made
        for client in (*made.clients, platform.operator):
            client.close()


def call(world: World, client: httpx.Client, method: str, path: str, operation: Any) -> int:
    names = world.names
    if path.startswith("/service-accounts/requests/"):
        names = {**names, "client_id": world.asked}
    if path.startswith("/operator/products/"):
        path = path.replace("{key}", "{product}")
    address = path.format_map(names)
    if (method, path) == DEPLOYMENT:
        zipped = {"Content-Type": "application/zip"}
        return client.post(address, content=world.archive, headers=zipped).status_code
    body = BODIES.get((method, path))
    assert body is not None or "requestBody" not in operation, f"give a body for {method} {path}"
    query = QUERIES.get((method, path))
    return client.request(method, address, json=body, params=query).status_code


def test_there_are_endpoints_to_test(world: World) -> None:
    assert len(world.endpoints) > 20


def test_every_endpoint_is_somebodys(world: World) -> None:
    """One that is in no list is not tested, so it fails here."""
    tested = {f"{method} {path}" for method, path, _ in (*world.endpoints, *world.operators)}
    assert {f"{method} {path}" for method, path, _ in world.every} - tested == OPEN | EVERYBODYS


def test_the_operators_are_for_operators(world: World) -> None:
    answers = {
        f"{method} {path}": call(world, client, method, path, operation)
        for method, path, operation in world.operators
        for client in (world.stranger, world.clients[1])
    }
    assert {name: status for name, status in answers.items() if status != 403} == {}


def test_a_stranger_finds_nothing(world: World) -> None:
    answers = {
        f"{method} {path}": call(world, world.stranger, method, path, operation)
        for method, path, operation in world.endpoints
    }
    assert {name: status for name, status in answers.items() if status != 404} == {}


def test_nobody_comes_in_without_credentials(world: World) -> None:
    answers = {
        f"{method} {path}": call(world, world.anonymous, method, path, operation)
        for method, path, operation in (*world.endpoints, *world.operators)
    }
    assert {name: status for name, status in answers.items() if status != 401} == {}
