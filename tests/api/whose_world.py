"""A site with one of everything, and the requests by which each endpoint reaches for it.

Every id is a real one, so that a refusal is for who asks and not for what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from app_folder import manifest, upload

from sallyport.control import signin
from sallyport.model.decision import DecisionRecord
from sallyport.store.grants import add_to_grant
from sallyport.store.records import add_decisions
from sallyport.vocab.ids import new_id
from serving import PASSWORD, Platform

READ = "read:employee:custom"
DEVELOPER, ADMIN, COLLEAGUE = "developer@acme.test", "admin@acme.test", "colleague@acme.test"
STRANGER = "stranger@other.test"
KEYS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]}

_APP = {"app_id": "{app_id}", "environment": "development"}
_LINK = {**_APP, "site": "{site}", "scopes": [READ]}

BODIES: dict[tuple[str, str], Any] = {
    ("put", "/apps/{app_id}/members/{account}"): {"role": "admin"},
    ("post", "/apps/{app_id}/environments"): {"key": "qa"},
    ("post", "/apps/{app_id}/environments/{environment}/custom-scopes"): {
        "scopes": [{"name": "read:x:custom", "description": "x"}]
    },
    ("put", "/apps/{app_id}/environments/{environment}/variables/{key}"): {"value": "x"},
    ("post", "/installations/{installation_id}/web-triggers"): {"key": "other-hook"},
    ("put", "/admin/sites/{site}/members/{account}"): {"role": "admin"},
    ("put", "/admin/sites/{site}/approvals"): {"required": True},
    ("put", "/admin/sites/{site}/approvals/{approval_id}"): {"approved": [], "reason": "x"},
    ("post", "/admin/sites/{site}/integrations/{client_id}/take-back"): {
        **_APP,
        "scopes": [READ],
        "reason": "x",
    },
    ("post", "/admin/sites/{site}/service-accounts"): {**_APP, "name": "Robot", "scopes": [READ]},
    ("put", "/admin/sites/{site}/service-accounts/{client_id}/keys"): KEYS,
    ("patch", "/integrations/{client_id}"): {"name": "Stolen"},
    ("put", "/integrations/{client_id}/links"): _LINK,
    ("put", "/integrations/{client_id}/keys"): KEYS,
    ("post", "/operator/organizations"): {"name": "Evil"},
    ("post", "/operator/products"): {"key": "evil", "name": "Evil"},
    ("patch", "/operator/products/{product}"): {"name": "Evil"},
    ("post", "/operator/sites"): {
        "organization_id": "{organization_id}",
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
QUERIES = {("delete", "/integrations/{client_id}/links"): {**_APP, "site": "{site}"}}
DEPLOYMENT = ("post", "/apps/{app_id}/environments/{environment}/deployments")


@dataclass(frozen=True)
class Endpoint:
    """One operation of the API's own description."""

    method: str
    path: str
    takes_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class World:
    """Who owns things of acme.test, a colleague there who owns nothing, and people elsewhere."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.developer = platform.make_account(DEVELOPER)
        self.admin = platform.make_account(ADMIN)
        self.colleague = platform.make_account(COLLEAGUE)
        self.stranger = platform.make_account(STRANGER)
        self.both = platform.make_account("both@both.test")
        self.anonymous = platform.client()
        site = platform.make_site(
            "acme.test", admins=[ADMIN, "both@both.test"], members=[DEVELOPER, COLLEAGUE]
        )
        elsewhere = ok(platform.operator.post("/operator/organizations", json={"name": "Other"}))
        self.other_site = platform.make_site(
            "other.test", admins=[STRANGER, "both@both.test"], organization_id=elsewhere["id"]
        )["site_id"]
        organization = f"/operator/organizations/{platform.organization_id}"
        ok(platform.operator.put(f"{organization}/admins/{ADMIN}"))
        self.names = {
            "organization_id": platform.organization_id,
            "site": site["site_id"],
            "account": DEVELOPER,
            "product": "jira",
            "kid": "x",
        }
        self._connect()
        self.names |= {
            # Not the one that the developer calls with.
            "token_id": ok(self.developer.post("/me/api-tokens", json={"label": "spare"}))["id"],
            "session_id": self._session(),
            "grant_id": self._grant(self.developer),
            "approval_id": self._approval(),
            "decision_id": self._decision(),
        }
        self.colleagues_grant = self._grant(self.colleague)
        paths = ok(self.developer.get("/openapi.json"))["paths"]
        self.endpoints = tuple(
            Endpoint(method, path, "requestBody" in operation)
            for path, methods in paths.items()
            for method, operation in methods.items()
        )

    def close(self) -> None:
        for client in (self.developer, self.admin, self.colleague, self.stranger, self.both):
            client.close()
        self.anonymous.close()

    def owner(self, endpoint: Endpoint) -> httpx.Client:
        """Who may call it for what is acme's."""
        of_admins = ("/admin/", "/installations/", "/web-triggers/")
        return self.admin if endpoint.path.startswith(of_admins) else self.developer

    def send(self, client: httpx.Client, endpoint: Endpoint, **names: str) -> int:
        """What the endpoint answers who asks for what is acme's; `names` say otherwise."""
        path, held = endpoint.path, {**self.names, **names}
        if path.startswith("/service-accounts/requests/"):
            held["client_id"] = self.asked
        if path.startswith("/admin/sites/{site}/service-accounts/"):
            held["client_id"] = self.machine
        if path.startswith("/admin/sites/{site}/grants/"):
            held["grant_id"] = self.colleagues_grant
        if path.startswith("/operator/products/"):
            path = path.replace("{key}", "{product}")
        address = path.format_map(held)
        at = (endpoint.method, path)
        if at == DEPLOYMENT:
            zipped = {"Content-Type": "application/zip"}
            return client.post(address, content=self.archive, headers=zipped).status_code
        assert at in BODIES or not endpoint.takes_body, f"give a body for {endpoint}"
        body = _named(BODIES.get(at), held)
        query = _named(QUERIES.get(at), held)
        return client.request(endpoint.method, address, json=body, params=query).status_code

    def _connect(self) -> None:
        """An app on the site, and what calls it."""
        developer, names = self.developer, self.names
        names["app_id"] = app_id = ok(developer.post("/apps", json={"name": "People"}))["app_id"]
        environment = f"/apps/{app_id}/environments/development"
        scopes = {"scopes": [{"name": READ, "description": "x"}]}
        ok(developer.post(f"{environment}/custom-scopes", json=scopes))
        zipped = {"Content-Type": "application/zip"}
        hooks = "".join(
            f"    - key: {key}\n      function: getName\n" for key in ("hook", "other-hook")
        )
        self.archive = upload(manifest(app_id, extra=f"  webtrigger:\n{hooks}"))
        ok(developer.post(f"{environment}/deployments", content=self.archive, headers=zipped))
        names |= {"environment": "development", "version": "1.1", "old": "1.1"}
        self.environment_id = next(
            each["environment_id"]
            for each in ok(developer.get(f"/apps/{app_id}/environments"))["items"]
            if each["key"] == "development"
        )
        ok(developer.put(f"{environment}/variables/KEY", json={"value": "x"}))
        names["key"] = "KEY"
        wanted = {**_named(_APP, names), "site": "acme.test"}
        made = ok(self.admin.post("/installations", json={**wanted, "product": "jira"}))
        names["installation_id"] = made["installation_id"]
        hook = f"/installations/{made['installation_id']}/web-triggers"
        names["trigger_id"] = ok(self.admin.post(hook, json={"key": "hook"}))["id"]
        link = {**wanted, "scopes": [READ]}
        client = {"name": "Sync", "redirect_uris": ["https://client.test/cb"], "link": link}
        names["client_id"] = ok(developer.post("/integrations", json=client))["client_id"]
        ok(developer.post(f"/integrations/{names['client_id']}/secrets"))
        machines = "/admin/sites/acme.test/service-accounts"
        machine = _named(BODIES["post", "/admin/sites/{site}/service-accounts"], names)
        self.machine = ok(self.admin.post(machines, json=machine))["client_id"]
        ok(self.admin.post(f"{machines}/{self.machine}/secrets"))
        asked = ok(developer.post("/service-accounts/requests", json={**link, "name": "Robot"}))
        self.asked = asked["client_id"]

    def _session(self) -> str:
        services = self.platform.services
        self.platform.act(signin.sign_in(services, DEVELOPER, PASSWORD, "127.0.0.1"))
        return str(ok(self.developer.get("/me/sessions"))["items"][0]["id"])

    def _grant(self, of: httpx.Client) -> str:
        """What an account has allowed the integration."""
        store, names = self.platform.services.store, self.names
        who = ok(of.get("/me"))["account_id"]
        consent = (names["client_id"], who, names["site"], self.environment_id, frozenset({READ}))
        return str(self.platform.act(store.write(add_to_grant, *consent)))

    def _approval(self) -> str:
        """The request of the service account, which waits for the admins."""
        (waiting,) = ok(self.admin.get("/admin/sites/acme.test/approvals"))["items"]
        return str(waiting["id"])

    def _decision(self) -> str:
        store, names = self.platform.services.store, self.names
        call = DecisionRecord(
            id=new_id(),
            trace_id="0" * 32,
            at=store.clock.now(),
            method="GET",
            path="/svc/jira/x/apps/y/getEmployeeName",
            status=200,
            gate=None,
            reason=None,
            problem=None,
            duration_us=1_000,
            site_id=names["site"],
            app_id=names["app_id"],
            environment_id=self.environment_id,
            installation_id=names["installation_id"],
            route_key="get-name",
            client_id=names["client_id"],
            account_id=None,
            grant_id=None,
            invocation_id=None,
        )
        self.platform.act(store.write(add_decisions, [call]))
        return call.id


def ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


def _named(value: Any, names: dict[str, str]) -> Any:
    """A body with the ids that it names."""
    if isinstance(value, dict):
        return {key: _named(each, names) for key, each in value.items()}
    if isinstance(value, str) and value.startswith("{"):
        return value.format_map(names)
    return value
