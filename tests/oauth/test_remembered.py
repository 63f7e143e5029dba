"""Consent is remembered: who said yes is asked again only for what is new.

Planted bugs that these tests were seen to fail on: a yes to some of the scopes taken for all;
a public client answered without a question; a consent that was ended still remembered; a yes of
another account's taken.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from access_world import JIRA, READ, WRITE
from oauth_world import Server, authorization_server, on_page, pkce, redirected
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store.audit import audit_of_site
from sallyport.store.engine import Reader
from sallyport.store.grants import end_grant, grants_of_account
from sallyport.store.integrations import integration_by_client_id, remove_link

SOME = f"{READ} {JIRA}"
MORE = f"{READ} {WRITE} {JIRA} offline_access"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of one site's integrations, so that there is no site to choose."""
    with authorization_server(tmp_path_factory.mktemp("oauth")) as running:
        world = running.world
        for client_id in (world.client_id, world.rival.client_id):
            _unlink_others(running, client_id)
        yield running


def _unlink_others(server: Server, client_id: str) -> None:
    store, here = server.world.store, server.world.site.id
    found = server.act(store.read(integration_by_client_id, client_id))
    assert found is not None
    for link in found.links:
        if link.site_id != here:
            act = Actor(None, "a test")
            gone = store.write(remove_link, act, client_id, link.site_id, link.environment_id)
            assert server.act(gone)


def grants(server: Server) -> list[str]:
    async def ask(reader: Reader) -> list[str]:
        mine = await grants_of_account(reader, server.world.member.id)
        return [each.grant.id for each in mine]

    return server.act(server.world.store.read(ask))


def test_who_said_yes_is_not_asked_again(server: Server) -> None:
    wanted = server.request(scope=SOME, prompt=None)
    assert "scopes" in server.ask(wanted).json()
    server.tokens(scope=SOME)
    told = redirected(server.ask(wanted))
    assert (told["state"], told["iss"]) == (wanted["state"], server.url)
    answer = server.exchange(told["code"])
    assert answer.status_code == 200
    assert len(answer.json()["scope"].split()) == 2
    assert len(grants(server)) == 1


def test_prompt_none_is_met_where_nobody_need_be_asked(server: Server) -> None:
    wanted = server.request(scope=SOME, prompt="none")
    assert redirected(server.ask(wanted))["error"] == "consent_required"
    server.tokens(scope=SOME)
    assert "code" in redirected(server.ask(wanted))
    wider = server.request(scope=MORE, prompt="none")
    assert redirected(server.ask(wider))["error"] == "consent_required"


def test_prompt_consent_always_asks(server: Server) -> None:
    server.tokens(scope=SOME)
    page = server.ask(server.request(scope=SOME, prompt="consent")).json()
    assert {each["name"] for each in page["scopes"]} == set(SOME.split())
    assert page["already"] == []


def test_a_wider_request_asks_for_the_difference_and_gives_all_of_it(server: Server) -> None:
    server.tokens(scope=SOME)
    page = server.ask(server.request(scope=MORE, prompt=None)).json()
    assert [each["name"] for each in page["scopes"]] == [WRITE]
    assert {each["name"] for each in page["already"]} == set(SOME.split())
    assert page["stays_connected"] is True
    made = server.tokens(scope=MORE, prompt=None)
    assert len(made["scope"].split()) == 4
    assert "code" in redirected(server.ask(server.request(scope=MORE, prompt=None)))


def test_a_narrower_request_gets_no_more_than_it_asks_for(server: Server) -> None:
    server.tokens(scope=MORE)
    told = redirected(server.ask(server.request(scope=SOME, prompt=None)))
    body = server.exchange(told["code"]).json()
    assert len(body["scope"].split()) == 2
    assert "refresh_token" not in body


def test_an_ended_consent_is_forgotten(server: Server) -> None:
    server.tokens(scope=SOME)
    (grant_id,) = grants(server)
    server.act(server.world.store.write(end_grant, Actor(None, "a test"), grant_id))
    assert "scopes" in server.ask(server.request(scope=SOME, prompt=None)).json()


def test_revoking_a_token_leaves_the_consent(server: Server) -> None:
    server.revoke(server.tokens(scope=SOME)["access_token"])
    told = redirected(server.ask(server.request(scope=SOME, prompt=None)))
    token = server.exchange(told["code"]).json()["access_token"]
    assert server.resources(token).status_code == 200


def test_public_clients_are_always_asked_about(server: Server) -> None:
    _verifier, challenge = pkce()
    wanted = {
        "client_id": server.integration(ClientKind.PUBLIC),
        "scope": SOME,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": None,
    }
    assert server.code(**wanted)
    assert "scopes" in server.ask(server.request(**wanted)).json()
    wanted["prompt"] = "none"
    assert redirected(server.ask(server.request(**wanted)))["error"] == "consent_required"


def test_one_accounts_yes_is_not_anothers_nor_another_clients(server: Server) -> None:
    world = server.world
    server.tokens(scope=SOME)
    wanted = server.request(scope=SOME, prompt=None)
    answer = server.ask(wanted, world.developer)
    if answer.status_code == 200:
        assert "scopes" in answer.json()
    else:
        on_page(answer)
    rival = server.request(scope=SOME, prompt=None, client_id=world.rival.client_id)
    assert "scopes" in server.ask(rival).json()


def test_no_silent_code_goes_to_another_address(server: Server) -> None:
    server.tokens(scope=SOME)
    wanted = server.request(scope=SOME, prompt="none", redirect_uri="https://evil.test/cb")
    on_page(server.ask(wanted))


def test_a_code_without_a_question_is_audited_as_such(server: Server) -> None:
    server.tokens(scope=SOME)
    redirected(server.ask(server.request(scope=SOME, prompt=None)))
    store, site_id = server.world.store, server.world.site.id
    lines = server.act(store.read(audit_of_site, site_id, before=None, limit=100))
    (line,) = [each for each in lines if each.event == "consent:remembered"]
    assert line.account_id == server.world.member.id
    assert line.detail["client_id"] == server.world.client_id


def test_where_a_site_is_to_be_chosen_the_person_chooses(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with authorization_server(tmp_path_factory.mktemp("oauth")) as server:
        server.tokens(scope=SOME)
        page = server.ask(server.request(scope=SOME, prompt=None)).json()
        assert len(page["sites"]) == 2
        told = redirected(server.ask(server.request(scope=SOME, prompt="none")))
        assert told["error"] == "interaction_required"
