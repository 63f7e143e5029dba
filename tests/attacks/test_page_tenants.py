"""T-TEN on pages: what belongs to a site or to the operator is nobody else's to see or to change.

The pages come from the list that is served, so a new one is tested from its first day; one whose
path or form needs a value that is not listed here fails the test.

Planted bugs that these tests were seen to fail on: `frame_of` in place of `admins_frame` on one
page; a use-case behind a form that asks `site_of_member`; a service account found by its client id
alone; an installation of another site upgraded from an address of this one.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import func, select

from browsing import House
from busy import keep_busy
from connected import connect
from sallyport.control.operator import set_member
from sallyport.model.directory import PLATFORM, SiteRole
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.web.csrf import form_token
from sallyport.web.pages import FORMS, PAGES

MEMBERS_TOO = {
    "/admin/sites/{site}",
    "/admin/sites/{site}/apps/{app_id}/environments/{environment}",
}
"""What members of a site see besides its admins."""

TYPED = {
    "rest-apis": {"turn": "on"},
    "installations": {"app_id": "{app_id}", "environment": "development", "product": "confluence"},
    "approvals": {"required": "no"},
    "{approval_id}": {"answer": "ticked", "scope": "read:employee:custom"},
    "upgrade": {"installation": "{installation_id}"},
    "uninstall": {"installation": "{installation_id}"},
    "unlink": {"environment": "{environment_id}"},
    "take-back": {
        "environment": "{environment_id}",
        "scope": "read:employee:custom",
        "reason": "x",
    },
    "service-accounts": {
        "app": "{app_id}/development",
        "name": "Robot",
        "scope": "read:employee:custom",
    },
    "members": {"account": "{account}", "role": "admin", "member_site": "{site}"},
    "organizations": {"name": "Evil"},
    "sites": {"organization": "{account}", "host": "evil.example", "site_name": "Evil"},
    "accounts": {"email": "evil@evil.example", "name": "Evil", "operator": "yes"},
    "change": {"change": "make-operator"},
}
GUARDED = ("/admin/sites/", "/operator")


class World:
    """A busy site, and people who have no part in it or only a small one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.busy = keep_busy(house, connect(house, "mine"))
        self.other = connect(house, "other")
        place = self.busy.place
        self.names = {
            "site": place.site_id,
            "app_id": place.app_id,
            "environment": "development",
            "environment_id": self.busy.environment_id,
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
            "account": house.add_account(place.member, "Member of mine").id,
        }

    def _scalar(self, statement: object) -> str:
        async def ask(reader: Reader) -> str:
            return str(await reader.scalar(statement))  # type: ignore[arg-type]

        return self.house.act(self.house.services.store.read(ask))

    def address(self, path: str) -> str:
        names = dict(self.names)
        if "/service-accounts/" in path:
            names["client_id"] = self.busy.machine
        address = path.format_map(names)
        if path.endswith(("/unlink", "/take-back")):
            address += f"?environment={self.busy.environment_id}"
        if path.endswith("/uninstall"):
            address += f"?installation={names['installation_id']}"
        return address

    def send(self, client: httpx.Client, path: str, site: str | None = None) -> int:
        """A form with the token that its sender can make of the own cookie."""
        address = self.address(path).partition("?")[0]
        if site is not None:
            address = address.replace(self.busy.place.site_id, site)
        last = path.rpartition("/")[2]
        fields = {key: value.format_map(self.names) for key, value in TYPED.get(last, {}).items()}
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


@pytest.fixture(scope="module")
def world(running_house: House) -> World:
    return World(running_house)


def guarded(paths: tuple[tuple[str, object], ...]) -> list[str]:
    return [path for path, _ in paths if path.startswith(GUARDED)]


def of_a_site(path: str) -> bool:
    """Whether the path names something of a site besides the site."""
    return path.startswith("/admin/sites/") and path.count("{") > 1


@pytest.fixture
def stranger(world: World) -> Iterator[httpx.Client]:
    """The admin of another site."""
    with world.house.signed_in(world.other.admin) as client:
        yield client


@pytest.fixture
def both(world: World) -> Iterator[httpx.Client]:
    """An admin of both sites."""
    services, email = world.house.services, "both@sites.example"
    person = world.house.add_account(email, "Both")
    for site in (world.busy.place.site_id, world.other.site_id):
        world.house.act(set_member(services, PLATFORM, site, person.id, SiteRole.ADMIN))
    with world.house.signed_in(email) as client:
        yield client


@pytest.fixture
def member(world: World) -> Iterator[httpx.Client]:
    with world.house.signed_in(world.busy.place.developer) as client:
        yield client


def test_there_are_pages_to_test() -> None:
    assert len(guarded(PAGES)) > 20
    assert len(guarded(FORMS)) > 15


def test_strangers_find_nothing(world: World, stranger: httpx.Client) -> None:
    before = world.audited()
    seen = {path: stranger.get(world.address(path)).status_code for path in guarded(PAGES)}
    wanted = {path: 403 if path.startswith("/operator") else 404 for path in seen}
    assert seen == wanted
    sent = {path: world.send(stranger, path) for path in guarded(FORMS)}
    assert sent == {path: 403 if path.startswith("/operator") else 404 for path in sent}
    assert world.audited() == before


def test_members_are_refused_what_is_the_admins(world: World, member: httpx.Client) -> None:
    before = world.audited()
    seen = {path: member.get(world.address(path)).status_code for path in guarded(PAGES)}
    assert seen == {path: 200 if path in MEMBERS_TOO else 403 for path in seen} | {
        # A decision is explained to who owns the integration, but on no page of the site.
        "/admin/sites/{site}/decisions/{decision_id}": 403
    }
    sent = {path: world.send(member, path) for path in guarded(FORMS)}
    assert sent == dict.fromkeys(sent, 403)
    assert world.audited() == before


def test_ids_of_one_site_open_nothing_on_another(world: World, both: httpx.Client) -> None:
    """Not even for an admin of both: what is done on a site is seen in that site's audit."""
    before = world.audited()
    own = world.other.site_id
    for path in guarded(PAGES):
        if not of_a_site(path):
            continue
        address = world.address(path).replace(world.busy.place.site_id, own)
        assert both.get(address).status_code == 404, path
    for path in guarded(FORMS):
        if of_a_site(path):
            assert world.send(both, path, own) == 404, path
    assert world.audited() == before


def test_nobody_comes_in_without_signing_in(world: World) -> None:
    with world.house.http() as client:
        for path in guarded(PAGES):
            answer = client.get(world.address(path))
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login?next="), path
