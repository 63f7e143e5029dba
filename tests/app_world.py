"""Apps for tests, deployed for real on a running demo, with an integration and tokens for them."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from demo_world import Demo, Person
from sallyport.cli.browser import Browser

REDIRECT_URI = "http://localhost:9876/callback"


def archive(files: dict[str, str]) -> bytes:
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return made.getvalue()


@dataclass(slots=True)
class DeployedApp:
    """An app that is installed on the demo's site with REST APIs on, and who calls it."""

    demo: Demo
    app_id: str
    environment_id: str
    installation_id: str
    client_id: str = ""
    client_secret: str = ""
    authorization_url: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def base_path(self) -> str:
        cloud_id = self.demo.facts["cloud_id"]
        return f"/svc/jira/{cloud_id}/apps/{self.app_id}_{self.environment_id}"

    @property
    def base_url(self) -> str:
        return str(self.demo.facts["public_url"]) + self.base_path

    @property
    def switch_path(self) -> str:
        site = self.demo.facts["cloud_id"]
        return f"/admin/sites/{site}/apps/{self.app_id}/environments/development/rest-apis"

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        request.setdefault("token", self.tokens["access_token"])
        return self.demo.call(method, path, base=self.base_url, **request)

    def turn(self, on: bool) -> None:
        answer = self.demo.person("admin").api("PUT", self.switch_path, json={"enabled": on})
        assert answer.status_code == 200, answer.text

    def consent(
        self, role: str = "member", scope: str | None = None, site_id: str | None = None
    ) -> dict[str, Any]:
        """Tokens that the account allows, for all that the integration asks or for `scope`.

        On the demo's site, or on another.
        """
        return self.exchange(
            grant_type="authorization_code",
            code=self.code(role, scope, site_id),
            redirect_uri=REDIRECT_URI,
        )

    def code(
        self, role: str = "member", scope: str | None = None, site_id: str | None = None
    ) -> str:
        """A code, as `consent` trades it for tokens."""
        url = httpx.URL(self.authorization_url)
        if scope is not None:
            url = url.copy_set_param("scope", scope)
        account = self.demo.facts["accounts"][role]

        async def walk() -> str:
            async with Browser(self.demo.facts["public_url"]) as browser:
                await browser.sign_in(account["email"], account["password"])
                return await browser.consent(str(url), site_id or self.demo.facts["cloud_id"])

        return asyncio.run(walk())

    def exchange(self, **grant: str) -> dict[str, Any]:
        answer = httpx.post(
            self.demo.facts["public_url"] + "/oauth/token",
            data={"client_id": self.client_id, "client_secret": self.client_secret, **grant},
        )
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made


def deploy_app(
    demo: Demo,
    routes: list[dict[str, Any]],
    functions: list[dict[str, Any]],
    source: str,
    **parts: Any,
) -> DeployedApp:
    """Register, deploy, install, switch on, integrate and consent; scopes are those of routes.

    `parts` are further parts of the manifest, such as `permissions`.
    """
    developer = demo.person("developer")
    app = _json(developer.api("POST", "/apps", json={"name": f"Test {uuid.uuid4().hex[:8]}"}))
    environment = f"/apps/{app['app_id']}/environments/development"
    scopes = sorted({scope for route in routes for scope in route["scopes"]})
    _json(
        developer.api(
            "POST",
            f"{environment}/custom-scopes",
            json={"scopes": [{"name": name, "description": f"May {name}."} for name in scopes]},
        )
    )
    redeploy(developer, app, routes, functions, source, **parts)
    return connected(demo, app["app_id"], scopes)


def deploy_folder(demo: Demo, folder: Path, scopes: list[str]) -> DeployedApp:
    """As `deploy_app`, for the app in a folder, by the commands that its developer runs."""
    developer = demo.person("developer")
    developer.cli("register", f"Test {uuid.uuid4().hex[:8]}", cwd=folder)
    developer.cli("custom-scopes", "create", cwd=folder)
    developer.cli("deploy", cwd=folder)
    registered = re.search(r"app/([0-9a-f-]{36})", (folder / "manifest.yml").read_text())
    assert registered is not None
    return connected(demo, registered[1], scopes)


def connected(demo: Demo, app_id: str, scopes: list[str]) -> DeployedApp:
    """A deployed app, installed on the demo's site, switched on, with an integration and tokens."""
    developer, admin = demo.person("developer"), demo.person("admin")
    site = demo.facts["cloud_id"]
    installed = _json(
        admin.api(
            "POST",
            "/installations",
            json={
                "app_id": app_id,
                "environment": "development",
                "site": site,
                "product": "jira",
            },
        )
    )
    integration = _json(
        developer.api(
            "POST",
            "/integrations",
            json={
                "name": "Test client",
                "redirect_uris": [REDIRECT_URI],
                "forge_compatible": True,
                "link": {
                    "site": site,
                    "app_id": app_id,
                    "environment": "development",
                    "scopes": scopes,
                    "product_scopes": ["read:forge-app:jira"],
                },
            },
        )
    )
    made = DeployedApp(
        demo=demo,
        app_id=app_id,
        environment_id=integration["links"][0]["environment_id"],
        installation_id=installed["installation_id"],
        client_id=integration["client_id"],
        client_secret=integration["client_secret"],
        authorization_url=integration["links"][0]["authorization_url"],
    )
    made.turn(on=True)
    made.tokens = made.consent()
    return made


def redeploy(
    developer: Person,
    app: dict[str, Any],
    routes: list[dict[str, Any]],
    functions: list[dict[str, Any]],
    source: str,
    **parts: Any,
) -> dict[str, Any]:
    """Deploy another version of an app to development."""
    manifest = {
        "app": {
            "id": f"ari:cloud:ecosystem::app/{app['app_id']}",
            "runtime": {"name": "python3"},
        },
        "modules": {"apiRoute": routes, "function": functions},
        **parts,
    }
    made: dict[str, Any] = _json(
        developer.api(
            "POST",
            f"/apps/{app['app_id']}/environments/development/deployments",
            content=archive({"manifest.yml": json.dumps(manifest), "src/index.py": source}),
            headers={"Content-Type": "application/zip"},
        )
    )
    return made


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json()


ECHO_SOURCE = """
import json


def echo(request, context):
    seen = {
        "method": request.method,
        "path": request.path,
        "userPath": request["userPath"],
        "headers": dict(request.headers),
        "query": dict(request["queryParameters"]),
        "params": dict(request["pathParameters"]),
        "body": request.body,
        "context": {key: context[key] for key in context},
        "route": context.function_key,
    }
    return {"statusCode": 200, "body": json.dumps(seen)}


def other(request, context):
    return echo(request, context)


def page(request, context):
    headers = {
        "content-type": "text/html",
        "content-security-policy": "script-src *",
        "atl-traceid": "forged",
        "www-authenticate": "Basic realm=forged",
        "strict-transport-security": "max-age=0",
        "alt-svc": 'h2="forged.test:443"',
        "nel": "forged",
        "service-worker-allowed": "/forged",
        "access-control-allow-origin": "forged",
        "idempotency-replayed": "forged",
        "ratelimit": "forged",
        "x-sallyport-anything": "forged",
        "date": "forged",
        "server": "forged",
        "x-own": "kept",
    }
    return {"statusCode": 200, "body": "<script>document.title = 1</script>", "headers": headers}
"""

ECHO_ROUTES: list[dict[str, Any]] = [
    {"key": "open", "path": "/open/**", "operation": "GET", "scopes": ["read:thing:custom"]},
    {"key": "post", "path": "/open/**", "operation": "POST", "scopes": ["write:thing:custom"]},
    {"key": "named", "path": "/named/{id}", "operation": "GET", "scopes": ["read:thing:custom"]},
    {
        "key": "guarded",
        "path": "/guarded/secret",
        "operation": "GET",
        "scopes": ["read:secret:custom"],
    },
    {"key": "html", "path": "/page", "operation": "GET", "scopes": ["read:thing:custom"]},
    {
        "key": "json",
        "path": "/json",
        "operation": "PUT",
        "scopes": ["write:thing:custom"],
        "accept": ["application/json"],
    },
]
_FUNCTION_OF = {"guarded": "other", "html": "page"}
for _route in ECHO_ROUTES:
    _route["function"] = _FUNCTION_OF.get(_route["key"], "echo")
ECHO_FUNCTIONS = [
    {"key": "echo", "handler": "index.echo"},
    {"key": "other", "handler": "index.other"},
    {"key": "page", "handler": "index.page"},
]


def deploy_echo(demo: Demo) -> DeployedApp:
    """An app that answers with what it was given."""
    return deploy_app(demo, ECHO_ROUTES, ECHO_FUNCTIONS, ECHO_SOURCE)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unchecked."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
