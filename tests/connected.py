"""A site with an app installed, made by use-cases, for tests of the consoles."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from browsing import House
from sallyport.control import apps, deploy, installations, operator, scopes
from sallyport.control.signin import actor_for
from sallyport.model.directory import PLATFORM, SiteRole
from sallyport.model.manifest import ScopeDeclaration

READ, WRITE = "read:employee:custom", "write:employee:custom"
ROUTES = (
    ("GET", "/getEmployeeName", [READ]),
    ("GET", "/employees/{id}", [READ]),
    ("POST", "/editEmployeeName", [READ, WRITE]),
)


@dataclass(frozen=True)
class Connected:
    """Emails of an admin and a member of the site and of the app's developer, all members."""

    site_id: str
    host: str
    app_id: str
    admin: str
    member: str
    developer: str

    @property
    def address(self) -> str:
        return f"/admin/sites/{self.site_id}/apps/{self.app_id}/environments/development"


def connect(
    house: House,
    tag: str,
    *,
    app_name: str = "Employee Directory",
    site_name: str = "Acme",
    display_name: str = "Read employee info",
    description: str = "Name, date of joining, department.",
    notes: Mapping[str, Any] | None = None,
) -> Connected:
    """A site `<tag>.example` with the app installed on Jira, its REST APIs off.

    `notes` is what the developer tells callers about the app's one function.
    """
    services = house.services
    people = {
        role: house.add_account(f"{role}@{tag}.example", f"{role.title()} of {tag}")
        for role in ("admin", "member", "developer")
    }

    async def make() -> Connected:
        organization = await operator.create_organization(services, PLATFORM, site_name)
        site = await operator.create_site(
            services,
            PLATFORM,
            organization.id,
            f"{tag}.example",
            site_name,
            ["jira", "confluence"],
        )
        for role, account in people.items():
            held = SiteRole.ADMIN if role == "admin" else SiteRole.MEMBER
            await operator.set_member(services, PLATFORM, site.id, account.id, held)
        developer = actor_for(people["developer"], None)
        app = (await apps.register_app(services, developer, app_name)).app
        declared = [
            ScopeDeclaration(READ, description, display_name),
            ScopeDeclaration(WRITE, "Change name, date of birth, payroll data."),
        ]
        await scopes.register_scopes(services, developer, app.id, "development", declared)
        await deploy.deploy(services, developer, app.id, "development", folder(app.id, notes))
        await installations.install(
            services, actor_for(people["admin"], None), app.id, "development", site.id, "jira"
        )
        return Connected(
            site.id,
            site.host,
            app.id,
            *(people[role].email for role in ("admin", "member", "developer")),
        )

    return house.act(make())


def folder(
    app_id: str,
    notes: Mapping[str, Any] | None = None,
    routes: Sequence[tuple[str, str, list[str]]] = ROUTES,
) -> bytes:
    """The app's folder as an upload. JSON is YAML, too."""
    manifest = {
        "app": {
            "id": f"ari:cloud:ecosystem::app/{app_id}",
            "runtime": {"name": "python3"},
        },
        "modules": {
            "apiRoute": [
                {
                    "key": f"route-{number}",
                    "path": path,
                    "operation": operation,
                    "function": "answer",
                    "scopes": needed,
                }
                for number, (operation, path, needed) in enumerate(routes)
            ],
            "function": [{"key": "answer", "handler": "index.answer"}],
        },
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.yml", json.dumps(manifest, indent=1))
        archive.writestr("src/index.py", "def answer(request):\n    return {'statusCode': 200}\n")
        if notes is not None:
            archive.writestr("src/index.api.yaml", json.dumps({"answer": notes}))
    return buffer.getvalue()
