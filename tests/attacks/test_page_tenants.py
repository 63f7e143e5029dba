"""T-TEN on pages: what is an app's, a site's, a person's or the operator's is nobody else's.

The pages come from the list that is served, so a new one is tested from its first day; one whose
path or form needs a value that is not listed here, or that is nobody's, fails the test. Ids are of
what there is: those whose it is find it.

Planted bugs that these tests were seen to fail on: `frame_of` in place of `admins_frame` on one
page; a use-case behind a form that asks `site_of_member`; a service account found by its client id
alone; an installation of another site upgraded from an address of this one; a consent, a session
and an API token ended by id alone; a call found by its id at the address of another app, or its
gates shown to everybody; an integration shown to whoever has its client id, listed to everybody, or
tried by admins of its site; an id that is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from pages_world import BOTH, COLLEAGUE, World

from browsing import House, served
from sallyport.vocab.ids import is_uuid
from sallyport.web.pages import FORMS, PAGES

GUARDED = (
    "/account/grants/{grant_id}",
    "/account/sessions/{session_id}",
    "/account/api-tokens/{token_id}",
    "/console/apps/{app_id}",
    "/console/integrations/{client_id}",
    "/console/try/decisions/{decision_id}",
    "/docs/apps/{app_id}",
    "/admin/sites/",
    "/operator",
)
EVERYBODYS = {
    "/account",
    "/account/grants",
    "/account/sessions",
    "/account/link",
    "/console",
    "/console/integrations",
    "/console/integrations/new",
    "/console/try",
    "/admin",
}
"""Pages that show to each what is their own."""

EVERYBODYS_FORMS = {
    "/account/sessions/end-others",
    "/account/password",
    "/account/api-tokens",
    "/console/apps",
    "/console/integrations/new",
}
MEMBERS_TOO = {
    "/admin/sites/{site}",
    "/admin/sites/{site}/apps/{app_id}/environments/{environment}",
    "/docs/apps/{app_id}",
    "/docs/apps/{app_id}/openapi.json",
}
"""What members of a site see besides its admins."""

SILENT = "/console/try/decisions/{decision_id}"
"""A piece of a page, empty until there is something that the visitor may see."""

ENDING = ("/unlink", "/end", "/revoke", "/uninstall", "/remove")
"""Forms that take away what others are of, so they are sent last."""


@pytest.fixture(scope="module")
def world(running_house: House) -> World:
    return World(running_house)


@pytest.fixture
def stranger(world: World) -> Iterator[httpx.Client]:
    """The admin of another site."""
    with world.house.signed_in(world.other.admin) as client:
        yield client


def guarded(paths: tuple[tuple[str, object], ...]) -> list[str]:
    return [path for path, _ in paths if path.startswith(GUARDED)]


def of_sites(paths: tuple[tuple[str, object], ...]) -> list[str]:
    return [path for path, _ in paths if path.startswith("/admin/sites/")]


def refusal(path: str) -> int:
    """What a stranger is told: that there are operator's pages is no secret."""
    if path == SILENT:
        return 204
    return 403 if path.startswith("/operator") else 404


def must_refuse(seen: dict[str, int]) -> None:
    assert {path: status for path, status in seen.items() if status != refusal(path)} == {}


def test_every_page_is_somebodys() -> None:
    """One that is in no list is not tested, so it fails here."""
    assert {path for path, _ in PAGES} - set(guarded(PAGES)) == EVERYBODYS
    assert {path for path, _ in FORMS} - set(guarded(FORMS)) == EVERYBODYS_FORMS
    assert len(guarded(PAGES)) > 45
    assert len(guarded(FORMS)) > 35


def test_strangers_find_nothing(world: World, stranger: httpx.Client) -> None:
    before = world.audited()
    must_refuse({path: world.see(stranger, path) for path in guarded(PAGES)})
    must_refuse({path: world.send(stranger, path) for path in guarded(FORMS)})
    assert world.send(stranger, "/console/integrations/new") == 404, "with names of mine"
    assert world.audited() == before


def test_everybody_s_own_pages_show_nothing_of_others(world: World, stranger: httpx.Client) -> None:
    ids = [value for value in world.names.values() if is_uuid(value)]
    assert len(ids) > 8
    for path in EVERYBODYS - {"/account/link", "/console/try"}:
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        assert [each for each in ids if each in answer.text] == [], path


def test_colleagues_find_nothing_that_is_others(world: World) -> None:
    """A member of the site, with no part in the app and none of these things their own."""
    before = world.audited()
    with world.house.signed_in(COLLEAGUE) as client:
        seen = {path: world.see(client, path) for path in guarded(PAGES)}
        sent = {path: world.send(client, path) for path in guarded(FORMS)}
    for path in MEMBERS_TOO:
        assert seen.pop(path) == 200, path
    refused = dict.fromkeys([*of_sites(PAGES), *of_sites(FORMS)], 403)
    refused["/admin/sites/{site}/decisions/{decision_id}"] = 404
    for answers in (seen, sent):
        assert answers == {path: refused.get(path, refusal(path)) for path in answers}
    assert world.audited() == before


def test_who_builds_the_app_is_refused_what_is_the_admins(world: World) -> None:
    before = world.audited()
    with world.house.signed_in(world.busy.place.developer) as client:
        seen = {path: world.see(client, path) for path in of_sites(PAGES)}
        sent = {path: world.send(client, path) for path in of_sites(FORMS)}
    # A decision is explained to who owns the integration, but on no page of the site.
    assert seen == {path: 200 if path in MEMBERS_TOO else 403 for path in seen}
    assert sent == dict.fromkeys(sent, 403)
    assert world.audited() == before


def test_admins_of_the_site_only_end_what_is_a_developer_s(world: World) -> None:
    """They see an integration that is linked to their site, and neither change nor try it."""
    before = world.audited()
    with world.house.signed_in(world.busy.place.admin) as admin:
        console = [path for path in guarded(FORMS) if path.startswith("/console/")]
        sent = {
            path: world.send(admin, path)
            for path in console
            if not path.endswith(("/{client_id}/unlink", "/{client_id}/revoke"))
        }
        assert len(sent) > 8
        assert {path: status for path, status in sent.items() if status not in (403, 404)} == {}
        assert world.see(admin, "/console/integrations/{client_id}/try") == 403
    assert world.audited() == before


def test_ids_of_one_site_open_nothing_on_another(world: World) -> None:
    """Not even for an admin of both: what is done on a site is seen in that site's audit."""
    before, own = world.audited(), world.other.site_id
    with world.house.signed_in(BOTH) as both:
        for path in of_sites(PAGES):
            if path.count("{") > 1:
                assert world.see(both, path, site=own) == 404, path
        for path in of_sites(FORMS):
            if path.count("{") > 1:
                assert world.send(both, path, site=own) == 404, path
    assert world.audited() == before


def test_calls_of_one_app_are_not_another_s(world: World) -> None:
    """Who builds an app sees the calls of that one alone."""
    call = "/console/apps/{app_id}/environments/{environment}/calls/{decision_id}"
    assert call in guarded(PAGES)
    with world.house.signed_in(world.other.developer) as client:
        assert world.see(client, call, app_id=world.other.app_id) == 404


def test_nobody_comes_in_without_signing_in(world: World) -> None:
    with world.house.http() as client:
        for path in guarded(PAGES):
            answer = client.get(world.address(path))
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login?next="), path


def test_those_whose_it_is_find_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Otherwise a refusal might be for an id that is nobody's.

    Two forms may take away the same; then the page that asks before has been seen.
    """
    with served(tmp_path_factory.mktemp("own")) as house, ExitStack() as open_:
        own = World(house)
        place = own.busy.place
        clients = {
            email: open_.enter_context(house.signed_in(email))
            for email in (place.admin, place.member, place.developer)
        }
        pages = [path for path in guarded(PAGES) if not path.startswith("/operator")]
        seen = {path: own.see(clients[own.owner(path)], path) for path in pages}
        assert seen == dict.fromkeys(pages, 200)
        forms = [path for path in guarded(FORMS) if not path.startswith("/operator")]
        forms.sort(key=lambda path: path.endswith(ENDING))
        sent = {path: own.send(clients[own.owner(path)], path) for path in forms}
    lost = {path for path, status in sent.items() if status in (401, 403, 404)}
    assert lost - set(pages) == set()
