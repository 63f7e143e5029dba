"""Optional scopes: an account leaves them out, and nothing afterwards states or gives more.

Planted bugs that these tests were seen to fail on: what was left out still in the code; a scope
that is not optional left out; a scope that was left out kept in the grant; a remembered consent
that gives what was left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from access_world import JIRA, READ, WRITE
from oauth_world import Server, authorization_server, on_page, redirected
from sallyport.model.access import Grant
from sallyport.model.directory import Actor
from sallyport.store.audit import audit_of_site
from sallyport.store.engine import Reader
from sallyport.store.grants import grants_of_account
from sallyport.store.integrations import integration_by_client_id, remove_link, set_link

DEVELOPER = Actor(None, "a test")
SCOPE = f"{READ} {WRITE} {JIRA} offline_access"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One site, on which `write` is optional."""
    with authorization_server(tmp_path_factory.mktemp("oauth")) as running:
        link(running, {WRITE})
        other = running.world.other_site.id
        gone = running.world.store.write(
            remove_link, DEVELOPER, running.world.client_id, other, running.world.environment.id
        )
        assert running.act(gone)
        yield running


def link(server: Server, optional: set[str], site_id: str | None = None) -> None:
    world = server.world
    wanted = world.link(optional=frozenset(optional), site_id=site_id or world.site.id)
    server.act(world.store.write(set_link, DEVELOPER, world.client_id, wanted))


def wanted(server: Server, **changes: str | None) -> dict[str, str]:
    return server.request(**{"scope": SCOPE, "prompt": None, **changes})


def allow(
    server: Server,
    offered: Sequence[str] = (WRITE,),
    kept: Sequence[str] = (),
    **changes: str | None,
) -> httpx.Response:
    """Allow, as the form does whose boxes for `offered` are ticked for `kept`."""
    fields = [
        *wanted(server, **changes).items(),
        *(("offered", each) for each in offered),
        *(("kept", each) for each in kept),
    ]
    return server.answer(fields)


def tokens(server: Server, answer: httpx.Response) -> dict[str, Any]:
    exchanged = server.exchange(redirected(answer)["code"])
    assert exchanged.status_code == 200, exchanged.text
    body: dict[str, Any] = exchanged.json()
    return body


def held(body: dict[str, Any]) -> set[str]:
    """The scopes of a token response, without the namespace."""
    return {each.split(":", 1)[1] if "." in each else each for each in body["scope"].split()}


def grants(server: Server) -> list[Grant]:
    async def ask(reader: Reader) -> list[Grant]:
        return [each.grant for each in await grants_of_account(reader, server.world.member.id)]

    return server.act(server.world.store.read(ask))


def test_the_question_tells_required_from_optional(server: Server) -> None:
    lines = {each["name"]: each for each in server.ask(wanted(server)).json()["scopes"]}
    assert {name for name, each in lines.items() if each["optional"]} == {WRITE}
    assert all(each["picked"] for each in lines.values())


def test_what_is_left_out_is_in_nothing_that_follows(server: Server) -> None:
    body = tokens(server, allow(server))
    assert held(body) == {READ, JIRA, "offline_access"}
    (grant,) = grants(server)
    assert grant.scopes == held(body)
    assert held(server.refresh(body["refresh_token"]).json()) == held(body)
    told = server.introspect(body["access_token"]).json()
    assert held(told) == held(body)
    (opened,) = server.resources(body["access_token"]).json()
    assert WRITE not in " ".join(opened["scopes"])


def test_what_was_left_out_cannot_be_had_by_refreshing(server: Server) -> None:
    body = tokens(server, allow(server))
    refused = server.refresh(body["refresh_token"], scope=f"{READ} {WRITE}")
    assert refused.json()["error"] == "invalid_scope"


def test_what_is_kept_is_given(server: Server) -> None:
    assert held(tokens(server, allow(server, kept=[WRITE]))) == set(SCOPE.split())


def test_required_scopes_cannot_be_left_out(server: Server) -> None:
    page = on_page(allow(server, offered=[READ]))
    assert page["title"] == "Something changed"
    assert grants(server) == []


def test_a_form_drawn_before_a_scope_became_required_is_refused(server: Server) -> None:
    link(server, set())
    on_page(allow(server))
    assert grants(server) == []


def test_the_form_adds_nothing_to_the_request(server: Server) -> None:
    narrow = f"{READ} {JIRA}"
    body = tokens(server, allow(server, kept=[WRITE], scope=narrow))
    assert held(body) == set(narrow.split())


def test_something_of_the_app_must_stay(server: Server) -> None:
    link(server, {READ, WRITE})
    page = on_page(allow(server, offered=[READ, WRITE]))
    assert "keep at least one" in page["fix"]
    assert held(tokens(server, allow(server, [READ, WRITE], [WRITE]))) >= {WRITE}


def test_who_left_it_out_is_not_asked_again_and_it_stays_out(server: Server) -> None:
    tokens(server, allow(server))
    assert held(tokens(server, server.ask(wanted(server)))) == {READ, JIRA, "offline_access"}
    assert held(tokens(server, server.ask(wanted(server, prompt="none")))) == {
        READ,
        JIRA,
        "offline_access",
    }


def test_prompt_consent_asks_again_with_the_box_as_it_was_left(server: Server) -> None:
    tokens(server, allow(server))
    page = server.ask(wanted(server, prompt="consent")).json()
    assert [(each["name"], each["optional"], each["picked"]) for each in page["scopes"]] == [
        (WRITE, True, False)
    ]
    body = tokens(server, allow(server, kept=[WRITE], prompt="consent"))
    assert held(body) == set(SCOPE.split())


def test_leaving_out_what_was_allowed_before_takes_it_back(server: Server) -> None:
    before = tokens(server, allow(server, kept=[WRITE]))
    tokens(server, allow(server, prompt="consent"))
    (grant,) = grants(server)
    assert WRITE not in grant.scopes
    assert WRITE not in held(server.introspect(before["access_token"]).json())
    assert WRITE not in held(server.refresh(before["refresh_token"]).json())
    assert WRITE not in held(tokens(server, server.ask(wanted(server))))


def test_required_scopes_are_asked_about_as_ever(server: Server) -> None:
    tokens(server, allow(server, scope=f"{READ} {JIRA}", offered=[]))
    link(server, set())
    page = server.ask(wanted(server)).json()
    assert [each["name"] for each in page["scopes"]] == [WRITE]


def test_it_is_optional_where_every_site_says_so(server: Server) -> None:
    world = server.world
    link(server, set(), world.other_site.id)
    view = server.ask(wanted(server)).json()
    assert len(view["sites"]) == 2
    assert not any(each["optional"] for each in view["scopes"])
    link(server, {WRITE, JIRA}, world.other_site.id)
    lines = server.ask(wanted(server)).json()["scopes"]
    assert [each["name"] for each in lines if each["optional"]] == [WRITE]


def test_what_was_left_out_is_audited(server: Server) -> None:
    allow(server)
    store, site_id = server.world.store, server.world.site.id
    lines = server.act(store.read(audit_of_site, site_id, before=None, limit=100))
    (line,) = [each for each in lines if each.event == "consent:given"]
    assert line.detail["declined"] == [WRITE]
    assert WRITE not in line.detail["scopes"]


def test_a_link_keeps_what_is_optional(server: Server) -> None:
    world = server.world
    found = server.act(world.store.read(integration_by_client_id, world.client_id))
    assert found is not None
    assert found.links == (replace(world.link(), optional=frozenset({WRITE})),)
