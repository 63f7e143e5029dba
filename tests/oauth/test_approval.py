"""Scopes that wait for an admin are neither consented to nor issued; the request says so.

Planted bugs that these tests were seen to fail on: `admit_link` writing the link as it was wanted;
`take_back` without writing the link.
"""

from __future__ import annotations

from access_world import JIRA, READ, WRITE
from oauth_world import Server, on_page, redirected
from sallyport.model.directory import Actor
from sallyport.store.approvals import approvals_of_site, require_approval
from sallyport.store.integrations import integration_by_client_id, set_link
from sallyport.store.links import answer_approval, remove_link, take_back

TITLE = "An admin's approval is awaited"


def waits(server: Server) -> Actor:
    """The site requires approval, and the integration asks for writing beside reading."""
    world = server.world
    store = world.store
    integration = server.act(store.read(integration_by_client_id, world.client_id))
    assert integration is not None
    act = Actor(integration.owner_id, "Owner")
    elsewhere = (world.client_id, world.other_site.id, world.environment.id)
    server.act(store.write(remove_link, act, *elsewhere))
    only = world.link(scopes=frozenset({READ}), product_scopes=frozenset({JIRA}))
    server.act(store.write(set_link, act, world.client_id, only))
    server.act(store.write(require_approval, act, world.site.id, True, ""))
    wider = world.link(scopes=frozenset({READ, WRITE}), product_scopes=frozenset({JIRA}))
    server.act(store.write(set_link, act, world.client_id, wider, "please"))
    return act


def test_a_request_for_it_says_what_is_awaited(server: Server) -> None:
    waits(server)
    asked = server.request(scope=f"{READ} {WRITE} {JIRA}")
    problem = on_page(server.ask(asked))
    assert problem["title"] == TITLE
    assert WRITE in problem["detail"]
    assert on_page(server.answer(asked))["title"] == TITLE
    told = redirected(server.ask({**asked, "prompt": "none"}))
    assert told["error"] == "access_denied"
    assert "admin" in told["error_description"]
    assert server.ask(server.request(scope=f"{READ} {JIRA}")).status_code == 200


def test_from_approval_to_tokens_and_back(server: Server) -> None:
    act = waits(server)
    store = server.world.store
    (request,) = server.act(store.read(approvals_of_site, server.world.site.id, pending=True))
    assert server.act(store.write(answer_approval, act, request, frozenset({WRITE}), "fine"))
    code = server.code(scope=f"{READ} {WRITE} {JIRA} offline_access")
    first = server.exchange(code).json()
    assert WRITE in first["scope"]
    link = server.world.link()
    gone = frozenset({WRITE})
    server.act(store.write(take_back, act, server.world.client_id, link, gone, "over"))
    second = server.refresh(first["refresh_token"]).json()
    assert WRITE not in second["scope"]
    assert READ in second["scope"]
    refused = redirected(server.ask(server.request(scope=f"{WRITE} {JIRA}", prompt="none")))
    assert refused["error"] == "invalid_scope"
