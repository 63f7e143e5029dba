"""One story in which everything happens that the audit has a name for; by real acts, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from app_world import ECHO_FUNCTIONS, ECHO_ROUTES, ECHO_SOURCE, REDIRECT_URI, archive
from demo_world import Demo, Person
from sallyport.cli.browser import Browser
from sallyport.vocab.events import Event

WHY = "Because the auditors ask — twice"
READ, WRITE, JIRA = "read:thing:custom", "write:thing:custom", "read:forge-app:jira"
PASSWORD = "correct horse battery staple"
HOOK = [{"key": "hook", "function": "echo", "response": {"type": "dynamic"}}]


@dataclass
class Told:
    """What came of the story: every row of the audit, oldest first, and who told it."""

    rows: list[dict[str, Any]]
    emails: dict[str, str]

    def of(self, event: Event) -> list[dict[str, Any]]:
        return [each for each in self.rows if each["event"] == event.value]


class Story:
    """The people of a running demo and what they do; every act says why."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.url = str(demo.facts["public_url"])
        self.site = str(demo.facts["cloud_id"])
        self.operator = demo.operator
        self.developer, self.admin, self.member = map(demo.person, ("developer", "admin", "member"))
        self.app_id = self.environment_id = ""
        self.client: dict[str, str] = {}

    def do(self, who: Person, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """An act that succeeds, and why."""
        headers = {"Audit-Reason": quote(WHY), **more.pop("headers", {})}
        sent = {"json": body} if body is not None else {}
        answer = who.api(method, path, headers=headers, **sent, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def tell(self) -> Told:
        self._provision()
        self._build()
        self._call()
        self._approve()
        self._end()
        export = self.operator.api("GET", "/operator/audit/export", params={"format": "jsonl"})
        rows = [json.loads(line) for line in export.text.splitlines()]
        people = {role: account["email"] for role, account in self.demo.facts["accounts"].items()}
        return Told(rows[::-1], {**people, "operator": self.operator.email})

    def _provision(self) -> None:
        operator = self.operator
        made = self.do(operator, "POST", "/operator/organizations", {"name": "Audited"})
        organization = made["id"]
        self.do(operator, "POST", "/operator/products", {"key": "wiki", "name": "Wiki"})
        self.do(operator, "PATCH", "/operator/products/wiki", {"name": "The wiki"})
        site = {"organization_id": organization, "host": "audited.example", "name": "A"}
        self.do(operator, "POST", "/operator/sites", {**site, "products": ["jira"]})
        person = {"email": "new@audited.example", "name": "New", "password": PASSWORD}
        self.do(operator, "POST", "/operator/accounts", person)
        account = "/operator/accounts/new@audited.example"
        token = self.do(operator, "POST", f"{account}/api-tokens", {"label": "x"})["token"]
        new = Person(self.url, person["email"], token, operator.home)
        self.do(new, "PUT", "/me/password", {"current": PASSWORD, "new": f"{PASSWORD}!"})
        own = self.do(new, "POST", "/me/api-tokens", {"label": "y"})
        self.do(new, "DELETE", f"/me/api-tokens/{own['id']}")
        refused = httpx.post(
            f"{self.url}/api/v1/login",
            json={"email": person["email"], "password": "not the password", "label": "x"},
        )
        assert refused.status_code == 401
        for change in ({"operator": True}, {"operator": False}, {"active": False}):
            self.do(operator, "PATCH", account, change)
        self.do(operator, "PATCH", account, {"active": True})
        member = "/operator/sites/audited.example/members/new@audited.example"
        self.do(operator, "PUT", member, {"role": "member"})
        self.do(operator, "DELETE", member)
        admin = f"/operator/organizations/{organization}/admins/new@audited.example"
        self.do(operator, "PUT", admin)
        self.do(operator, "DELETE", admin)
        keys = self.do(operator, "POST", "/operator/keys", {"now": True})
        old = [each["kid"] for each in self.do(operator, "GET", "/operator/keys")["items"]]
        assert keys is not None
        self.do(operator, "DELETE", f"/operator/keys/{old[0]}")

    def _build(self) -> None:
        developer, admin = self.developer, self.admin
        self.app_id = self.do(developer, "POST", "/apps", {"name": "Audited"})["app_id"]
        app = f"/apps/{self.app_id}"
        part = f"{app}/members/{self.admin.email}"
        self.do(developer, "PUT", part, {"role": "contributor"})
        self.do(developer, "DELETE", part)
        self.do(developer, "POST", f"{app}/environments", {"key": "qa"})
        self.do(developer, "DELETE", f"{app}/environments/qa")
        here = f"{app}/environments/development"
        scopes = sorted({scope for each in ECHO_ROUTES for scope in each["scopes"]})
        declared = [{"name": each, "description": "x"} for each in scopes]
        self.do(developer, "POST", f"{here}/custom-scopes", {"scopes": declared})
        self.do(developer, "PUT", f"{here}/variables/KEY", {"value": "x"})
        self.do(developer, "DELETE", f"{here}/variables/KEY")
        self._deploy(ECHO_ROUTES)
        place = {"app_id": self.app_id, "environment": "development", "site": self.site}
        installed = self.do(admin, "POST", "/installations", {**place, "product": "jira"})
        installation = f"/installations/{installed['installation_id']}"
        hook = self.do(admin, "POST", f"{installation}/web-triggers", {"key": "hook"})
        self.do(admin, "DELETE", f"/web-triggers/{hook['id']}")
        wider = {"key": "extra", "path": "/extra", "operation": "GET", "function": "echo"}
        self._deploy([*ECHO_ROUTES, {**wider, "scopes": ["read:secret:custom"]}], extra=True)
        switch = f"/admin/sites/{self.site}{here}/rest-apis"
        self.do(admin, "PUT", switch, {"enabled": True})
        self.do(admin, "PUT", switch, {"enabled": False})
        self.do(admin, "PUT", switch, {"enabled": True})
        link = {**place, "scopes": [READ], "product_scopes": [JIRA]}
        self.client = self.do(
            developer,
            "POST",
            "/integrations",
            {
                "name": "Audited",
                "redirect_uris": [REDIRECT_URI],
                "forge_compatible": True,
                "link": link,
            },
        )
        path = f"/integrations/{self.client['client_id']}"
        self.do(developer, "PATCH", path, {"name": "Audited client"})
        self.do(developer, "POST", f"{path}/secrets")
        verified = f"/operator/integrations/{self.client['client_id']}/verified"
        self.do(self.operator, "PUT", verified)
        self.do(self.operator, "DELETE", verified)
        self.installation = installation

    def _deploy(self, routes: list[dict[str, Any]], *, extra: bool = False) -> None:
        manifest = {
            "app": {
                "id": f"ari:cloud:ecosystem::app/{self.app_id}",
                "runtime": {"name": "python3"},
            },
            "modules": {"apiRoute": routes, "function": ECHO_FUNCTIONS, "webtrigger": HOOK},
        }
        if extra:
            manifest["permissions"] = {"external": {"fetch": {"backend": ["example.com"]}}}
        self.do(
            self.developer,
            "POST",
            f"/apps/{self.app_id}/environments/development/deployments?approve=MAJOR_VERSION_RULE",
            content=archive({"manifest.yml": json.dumps(manifest), "src/index.py": ECHO_SOURCE}),
            headers={"Content-Type": "application/zip"},
        )

    def _call(self) -> None:
        """Consents, tokens, and what becomes of them."""
        url = self.client["links"][0]["authorization_url"]  # type: ignore[index]
        account = self.demo.facts["accounts"]["member"]

        async def walk() -> list[str]:
            async with Browser(self.url) as browser:
                await browser.sign_in(account["email"], account["password"])
                first = await browser.consent(url, self.site)
                again = await browser._http.get(url.replace("prompt=consent", "prompt=none"))
                second = parse_qs(urlsplit(again.headers["location"]).query)["code"][0]
                page = await browser.open(url)
                denied = await browser.submit(page, "client_id", site=self.site, decision="deny")
                assert "access_denied" in denied.headers["location"]
                home = await browser.open("/account")
                out = await browser.submit(home, "form_token")
                assert out.is_redirect
                return [first, second]

        first, second = asyncio.run(walk())
        tokens = self._exchange(first).json()
        refresh = {"grant_type": "refresh_token"}
        second_token = self._token(**refresh, refresh_token=tokens["refresh_token"]).json()
        third = self._token(**refresh, refresh_token=second_token["refresh_token"])
        assert third.status_code == 200
        reused = self._token(**refresh, refresh_token=tokens["refresh_token"])
        assert reused.status_code == 400
        given_back = self._exchange(second).json()["refresh_token"]
        self._post("/oauth/revoke", token=given_back)
        code = self._code()
        assert self._exchange(code).status_code == 200
        assert self._exchange(code).status_code == 400

    def _approve(self) -> None:
        """The queue, and machines."""
        queue = f"/admin/sites/{self.site}/approvals"
        path = f"/integrations/{self.client['client_id']}"
        place = {"app_id": self.app_id, "environment": "development"}
        self.do(self.admin, "PUT", queue, {"required": True})
        wide = {**place, "site": self.site, "scopes": [READ, WRITE], "product_scopes": [JIRA]}
        narrow = {**wide, "scopes": [READ]}
        self.do(self.developer, "PUT", f"{path}/links", wide)
        self.do(self.developer, "PUT", f"{path}/links", narrow)
        self.do(self.developer, "PUT", f"{path}/links", wide)
        (request,) = self.do(self.admin, "GET", queue)["items"]
        self.do(self.admin, "PUT", f"{queue}/{request['id']}", {"approved": [WRITE]})
        taken = {**place, "scopes": [WRITE], "reason": WHY}
        self.do(self.admin, "POST", f"/admin/sites/{self.site}{path}/take-back", taken)
        self.do(self.admin, "PUT", queue, {"required": False})
        machines = f"/admin/sites/{self.site}/service-accounts"
        made = self.do(self.admin, "POST", machines, {"name": "M", **place, "scopes": [READ]})
        self.do(self.admin, "DELETE", f"{machines}/{made['client_id']}")

    def _end(self) -> None:
        grants = self.do(self.member, "GET", "/grants")["items"]
        mine = [each for each in grants if each["client_id"] == self.client["client_id"]]
        self.do(self.member, "DELETE", f"/grants/{mine[0]['grant_id']}")
        self.do(self.admin, "POST", f"{self.installation}/upgrade")
        self.do(self.developer, "DELETE", f"/integrations/{self.client['client_id']}")
        self.do(self.admin, "DELETE", self.installation)

    def _code(self) -> str:
        account = self.demo.facts["accounts"]["member"]
        url = self.client["links"][0]["authorization_url"]  # type: ignore[index]

        async def walk() -> str:
            async with Browser(self.url) as browser:
                await browser.sign_in(account["email"], account["password"])
                return await browser.consent(url, self.site)

        return asyncio.run(walk())

    def _exchange(self, code: str) -> httpx.Response:
        return self._token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)

    def _token(self, **form: str) -> httpx.Response:
        return self._post("/oauth/token", **form)

    def _post(self, path: str, **form: str) -> httpx.Response:
        pair = f"{self.client['client_id']}:{self.client['client_secret']}"
        basic = base64.b64encode(pair.encode()).decode()
        return httpx.post(
            self.url + path, data=form, headers={"Authorization": f"Basic {basic}"}, timeout=30
        )
