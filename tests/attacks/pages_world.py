"""A busy site with one of everything, and the forms by which pages reach for it.

Every id is a real one, so that a refusal is for who asks and not for what there is.
"""

from __future__ import annotations

import httpx
from sqlalchemy import func, select

from browsing import House
from busy import keep_busy
from connected import connect
from sallyport.control import accounts, sessions
from sallyport.control.operator import set_member
from sallyport.control.signin import actor_for
from sallyport.control.variables import set_variable
from sallyport.model.directory import PLATFORM, SiteRole
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.web.csrf import form_token

READ = "read:employee:custom"
COLLEAGUE, BOTH = "colleague@mine.example", "both@sites.example"

PLACE = {"site": "{site}", "app_id": "{app_id}", "environment": "development"}
TYPED = {
    "/console/apps/{app_id}/environments": {"key": "qa"},
    "/console/apps/{app_id}/environments/{environment}/variables": {"key": "NEW", "value": "x"},
    "/console/integrations/new": {
        **PLACE,
        "name": "Evil",
        "redirect_uris": "https://evil.example/cb",
        "scope": READ,
    },
    "/console/integrations/{client_id}": {
        "name": "Stolen",
        "redirect_uris": "https://evil.example/cb",
    },
    "/console/integrations/{client_id}/links": {**PLACE, "scope": READ},
    "/console/integrations/{client_id}/unlink": PLACE,
    "/console/integrations/{client_id}/try": PLACE,
    "/console/integrations/{client_id}/try/callback": PLACE,
    "/admin/sites/{site}/integrations/{client_id}/unlink": {"environment": "{environment_id}"},
    "/operator/customers/members": {
        "account": "{account}",
        "role": "admin",
        "member_site": "{site}",
    },
    "rest-apis": {"turn": "on"},
    "installations": {"app_id": "{app_id}", "environment": "development", "product": "confluence"},
    "approvals": {"required": "no"},
    "{approval_id}": {"answer": "ticked", "scope": READ},
    "upgrade": {"installation": "{installation_id}"},
    "uninstall": {"installation": "{installation_id}"},
    "take-back": {"environment": "{environment_id}", "scope": READ, "reason": "x"},
    "service-accounts": {"app": "{app_id}/development", "name": "Robot", "scope": READ},
    "members": {"account": "{account}", "role": "admin"},
    "organizations": {"name": "Evil"},
    "sites": {"organization": "{account}", "host": "evil.example", "site_name": "Evil"},
    "accounts": {"email": "evil@evil.example", "name": "Evil", "operator": "yes"},
    "change": {"change": "make-operator"},
}
"""What a form brings, by its path or by the end of it."""


class World:
    """A busy site, and people who have no part in it or only a small one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.busy = keep_busy(house, connect(house, "mine"))
        self.other = connect(house, "other")
        place, services = self.busy.place, house.services
        owner = house.add_account(place.member, "Member of mine")
        developer = actor_for(house.add_account(place.developer, "Developer of mine"), None)
        house.act(
            set_variable(services, developer, place.app_id, "development", "KEY", "x", secret=False)
        )
        colleague = house.add_account(COLLEAGUE, "Colleague")
        house.act(set_member(services, PLATFORM, place.site_id, colleague.id, SiteRole.MEMBER))
        both = house.add_account(BOTH, "Both")
        for site in (place.site_id, self.other.site_id):
            house.act(set_member(services, PLATFORM, site, both.id, SiteRole.ADMIN))
        by = actor_for(owner, None)
        with house.signed_in(place.member):
            session = house.act(sessions.my_sessions(services, by))[0]
        self.names = {
            "site": place.site_id,
            "app_id": place.app_id,
            "environment": "development",
            "environment_id": self.busy.environment_id,
            "version": "1.1",
            "key": "KEY",
            "client_id": self.busy.client_id,
            "grant_id": self.busy.grant_id,
            "decision_id": self.busy.refused,
            "approval_id": self._scalar(select(schema.approval.c.id).limit(1)),
            "installation_id": self._scalar(
                select(schema.installation.c.id).where(
                    schema.installation.c.site_id == place.site_id
                )
            ),
            "kid": "a-key",
            "account": owner.id,
            "session_id": session.id,
            "token_id": house.act(accounts.create_api_token(services, by, "spare")).token.id,
        }

    def _scalar(self, statement: object) -> str:
        async def ask(reader: Reader) -> str:
            return str(await reader.scalar(statement))  # type: ignore[arg-type]

        return self.house.act(self.house.services.store.read(ask))

    def owner(self, path: str) -> str:
        """Who may open this page for what is mine, by email."""
        place = self.busy.place
        if path.startswith("/admin/sites/"):
            return place.admin
        return place.member if path.startswith("/account/") else place.developer

    def address(self, path: str, **other: str) -> str:
        """Where a page of what is mine is; `other` names what is named otherwise."""
        names = {**self.names, **other}
        if "/service-accounts/" in path:
            names["client_id"] = self.busy.machine
        address = path.format_map(names)
        if path.startswith("/console/") and path.endswith(("/unlink", "/try")):
            return f"{address}?{httpx.QueryParams(self._named(PLACE))}"
        if path.endswith(("/unlink", "/take-back")):
            address += f"?environment={self.busy.environment_id}"
        if path.endswith("/uninstall"):
            address += f"?installation={names['installation_id']}"
        if path.startswith("/docs/"):
            address += "?environment=development"
        return address

    def see(self, client: httpx.Client, path: str, **other: str) -> int:
        """What a page answers."""
        with client.stream("GET", self.address(path, **other)) as answer:
            return answer.status_code

    def send(self, client: httpx.Client, path: str, **other: str) -> int:
        """What is answered to a form, with the token that its sender can make of the own cookie."""
        address = self.address(path, **other).partition("?")[0]
        fields = self._named(TYPED.get(path) or TYPED.get(path.rpartition("/")[2], {}))
        token = form_token(client.cookies["sallyport"], address)
        return client.post(address, data={**fields, "form_token": token}).status_code

    def audited(self) -> int:
        return int(
            self._scalar(
                select(func.count())
                .select_from(schema.audit)
                .where(schema.audit.c.event.not_like("session:%"))
            )
        )

    def _named(self, fields: dict[str, str]) -> dict[str, str]:
        return {key: value.format_map(self.names) for key, value in fields.items()}
