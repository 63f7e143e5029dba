"""T-TEN: what belongs to an app, a site or a person is not found by those who have no part in it.

The endpoints come from the API's own description, so a new one is tested from its first day; one
that takes a body, or that is neither guarded, the operator's nor everybody's own, and is not listed
here, fails the test. Ids are of what there is: those whose it is find it.

Planted bugs that these tests were seen to fail on: an integration shown to whoever has its client
id; an operator's endpoint that asks nobody; a request for a service account found by its client id
alone; a decision explained to everybody, or to every member of its site; a consent ended by whoever
has its id, or by admins of another site; a session, an API token and a web trigger ended by id
alone; an approval answered by admins of another site; an id that is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from whose_world import Endpoint, World

from serving import Platform, audit, serving

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

MEMBERS_TOO = {
    "get /sites/{site}",
    "get /apps/{app_id}/documentation",
    "get /apps/{app_id}/environments/{environment}/custom-scopes",
    "get /admin/sites/{site}/apps",
    "get /admin/sites/{site}/apps/{app_id}/environments/{environment}/rest-apis",
}
"""What members of a site see besides its admins and the app's developers."""

TAKES_MORE = (
    "delete /admin/sites/{site}/service-accounts/{client_id}",
    "delete /admin/sites/{site}/members/{account}",
    "delete /integrations/{client_id}",
    "delete /installations/{installation_id}",
)
"""With these goes what others are of, so they are called last, and in this order."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with serving(tmp_path_factory.mktemp("platform")) as platform:
        assert platform.claim().status_code == 201
        yield platform


@pytest.fixture(scope="module")
def world(platform: Platform) -> Iterator[World]:
    made = World(platform)
    yield made
    made.close()


def guarded(world: World) -> list[Endpoint]:
    return [each for each in world.endpoints if each.path.startswith(GUARDED)]


def operators(world: World) -> list[Endpoint]:
    return [each for each in world.endpoints if each.path.startswith(OPERATORS)]


def must_answer(
    world: World, client: httpx.Client, endpoints: list[Endpoint], *right: int, **names: str
) -> None:
    """Each endpoint gives one of these answers, and nothing that is audited comes of it."""
    before = audit(world.platform)
    answers = {str(each): world.send(client, each, **names) for each in endpoints}
    assert {name: status for name, status in answers.items() if status not in right} == {}
    assert audit(world.platform) == before


def test_there_are_endpoints_to_test(world: World) -> None:
    assert len(guarded(world)) > 60


def test_every_endpoint_is_somebodys(world: World) -> None:
    """One that is in no list is not tested, so it fails here."""
    tested = {str(each) for each in (*guarded(world), *operators(world))}
    assert {str(each) for each in world.endpoints} - tested == OPEN | EVERYBODYS


def test_the_operators_are_for_operators(world: World) -> None:
    for client in (world.stranger, world.admin):
        must_answer(world, client, operators(world), 403)


def test_a_stranger_finds_nothing(world: World) -> None:
    must_answer(world, world.stranger, guarded(world), 404)


def test_nobody_comes_in_without_credentials(world: World) -> None:
    must_answer(world, world.anonymous, [*guarded(world), *operators(world)], 401)


def test_a_colleague_sees_what_members_do_and_changes_nothing(world: World) -> None:
    """A member of the site, with no part in the app and none of these things their own."""
    shown = [each for each in guarded(world) if str(each) in MEMBERS_TOO]
    assert {str(each) for each in shown} == MEMBERS_TOO
    must_answer(world, world.colleague, shown, 200)
    others = [each for each in guarded(world) if each not in shown]
    must_answer(world, world.colleague, others, 403, 404)


def test_ids_of_one_site_open_nothing_on_another(world: World) -> None:
    """Not even for an admin of both: what is done on a site is seen in that site's audit."""
    of_a_site = [
        each
        for each in guarded(world)
        if each.path.startswith("/admin/sites/{site}/")
        and each.path.count("{") > 1
        and not each.path.endswith("/members/{account}")
    ]
    assert len(of_a_site) > 8
    must_answer(world, world.both, of_a_site, 404, site=world.other_site)


def last_what_takes_most(endpoint: Endpoint) -> tuple[bool, bool, int]:
    name = str(endpoint)
    takes = TAKES_MORE.index(name) if name in TAKES_MORE else -1
    return endpoint.method != "get", endpoint.method == "delete", takes


def test_those_whose_it_is_find_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Otherwise a refusal might be for an id that is nobody's; 409 is found, in another state."""
    with serving(tmp_path_factory.mktemp("own")) as platform:
        assert platform.claim().status_code == 201
        own = World(platform)
        endpoints = sorted(guarded(own), key=last_what_takes_most)
        answers = {str(each): own.send(own.owner(each), each) for each in endpoints}
        own.close()
    lost = {name: status for name, status in answers.items() if status >= 400 and status != 409}
    assert lost == {}
