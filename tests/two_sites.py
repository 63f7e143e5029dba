"""One app on two sites of two organizations, for tests of what they must not share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from app_world import DeployedApp, deploy_app
from demo_world import Demo

OTHER = "other.example"


@dataclass(frozen=True, slots=True)
class TwoSites:
    """One app on two sites. `there` is the base URL on the second, `token` a token for it."""

    demo: Demo
    app: DeployedApp
    site_id: str
    there: str
    token: str


def two_sites(
    demo: Demo, routes: list[dict[str, Any]], functions: list[dict[str, Any]], source: str
) -> TwoSites:
    """The app on the demo's site and on a new one, each with REST APIs on and a token.

    The outsider is the admin of the other site and the caller there.
    """
    facts = demo.facts
    operator = demo.operator
    organization = _json(operator.api("POST", "/operator/organizations", json={"name": "Other"}))
    site = _json(
        operator.api(
            "POST",
            "/operator/sites",
            json={
                "organization_id": organization["id"],
                "host": OTHER,
                "name": "Other",
                "products": ["jira"],
            },
        )
    )
    for role, part in (("outsider", "admin"), ("developer", "member")):
        account = facts["accounts"][role]["account_id"]
        members = f"/operator/sites/{site['site_id']}/members/{account}"
        _json(operator.api("PUT", members, json={"role": part}))

    app = deploy_app(demo, routes, functions, source)
    admin, developer = demo.person("outsider"), demo.person("developer")
    place = {"app_id": app.app_id, "environment": "development", "site": site["site_id"]}
    _json(admin.api("POST", "/installations", json={**place, "product": "jira"}))
    switch = f"/admin/sites/{site['site_id']}/apps/{app.app_id}/environments/development/rest-apis"
    _json(admin.api("PUT", switch, json={"enabled": True}))
    linked = _json(
        developer.api(
            "PUT",
            f"/integrations/{app.client_id}/links",
            json={
                **place,
                "scopes": sorted({scope for route in routes for scope in route["scopes"]}),
                "product_scopes": ["read:forge-app:jira"],
            },
        )
    )
    assert len(linked["links"]) == 2
    tokens = app.consent("outsider", site_id=site["site_id"])
    there = (
        f"{facts['public_url']}/svc/jira/{site['site_id']}/apps/{app.app_id}_{app.environment_id}"
    )
    return TwoSites(demo, app, site["site_id"], there, tokens["access_token"])


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None
