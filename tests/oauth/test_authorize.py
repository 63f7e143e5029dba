"""`/authorize`: what is asked, what is shown, what the client is told. Contract section (f.2)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from access_world import CALLBACK, JIRA, READ, WRITE, actor, audited
from oauth_world import FULL_SCOPE, Server, on_page, pkce, redirected
from sallyport.store import integrations


def test_the_question_holds_all_that_a_person_decides_by(server: Server) -> None:
    world = server.world
    view = server.ask(server.request()).json()
    assert view["integration_name"] == "Sync"
    assert view["integration_owner"] == "Developer"
    assert (view["app_name"], view["environment_key"]) == ("People", "development")
    assert (view["account_name"], view["account_email"]) == ("Member", "member@acme.test")
    assert (view["redirect_host"], view["redirect_origin"]) == (
        "client.test",
        "https://client.test",
    )
    assert [each["host"] for each in view["sites"]] == ["acme.test", "beta.test"]
    assert view["chosen"] is None
    assert view["stays_connected"]
    assert [each["name"] for each in view["scopes"]] == [READ, WRITE, JIRA]
    read, write, jira = view["scopes"]
    assert (read["title"], read["description"]) == ("Read employees", "Reads names.")
    assert write["title"] == WRITE
    assert read["routes"] == [
        {"operation": "GET", "path": "/employees/**"},
        {"operation": "GET", "path": "/employees/{id}"},
        {"operation": "GET", "path": "/getEmployeeName"},
    ]
    assert jira["title"] == "Reach apps on Jira"
    assert jira["routes"] == []
    assert dict(view["fields"]) == server.request()
    assert world.site.id in {each["site_id"] for each in view["sites"]}


def test_allow_goes_back_with_code_state_and_issuer(server: Server) -> None:
    answer = server.answer(server.request())
    told = redirected(answer)
    assert told.keys() == {"a", "code", "state", "iss"}
    assert told["state"] == "x+y/z=&"
    assert told["iss"] == server.url
    assert told["code"].startswith("spac_")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_deny_goes_back_with_an_error_and_is_remembered(server: Server) -> None:
    told = redirected(server.answer(server.request(), decision="deny"))
    assert told["error"] == "access_denied"
    assert told["state"] == "x+y/z=&"
    assert told["iss"] == server.url
    assert "code" not in told
    assert server.act(server.world.store.read(audited, "consent:denied"))


def test_anything_but_allow_is_a_denial(server: Server) -> None:
    told = redirected(server.answer(server.request(), decision="Allow"))
    assert told["error"] == "access_denied"


def test_who_is_not_signed_in_signs_in_and_comes_back(server: Server) -> None:
    answer = httpx.get(f"{server.url}/authorize", params=server.request(prompt="login consent"))
    assert answer.status_code == 303
    next_page = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
    brought_back = {k: v[0] for k, v in parse_qs(urlsplit(next_page).query).items()}
    assert next_page.startswith("/authorize?")
    assert brought_back == server.request(prompt="consent")


def test_prompt_login_asks_the_signed_in_once_more(server: Server) -> None:
    answer = server.ask(server.request(prompt="login"))
    assert answer.headers["location"].startswith("/login?next=%2Fauthorize")
    assert "prompt" not in answer.headers["location"]


def test_prompt_none_cannot_be_met(server: Server) -> None:
    rival = server.request(prompt="none", client_id=server.world.rival.client_id)
    assert redirected(server.ask(rival))["error"] == "consent_required"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"audience": "https://elsewhere.test"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": "none consent"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://client.test/r"}, "request_uri_not_supported"),
        ({"scope": f"{READ} admin:employee:custom"}, "invalid_scope"),
        ({"scope": f"{READ} read:forge-app:confluence"}, "invalid_scope"),
        ({"scope": f"{READ} openid"}, "invalid_scope"),
        ({"sns": "nonsense"}, "invalid_request"),
    ],
)
def test_what_cannot_be_asked_is_told_to_the_client(
    server: Server, changes: dict[str, str | None], error: str
) -> None:
    for answer in (server.ask(server.request(**changes)), server.answer(server.request(**changes))):
        told = redirected(answer)
        assert told["error"] == error
        assert told["error_description"]
        assert told["state"] == "x+y/z=&"
        assert told["iss"] == server.url


def test_a_scope_that_is_not_allowed_is_named(server: Server) -> None:
    told = redirected(server.ask(server.request(scope=f"{READ} admin:employee:custom")))
    assert "admin:employee:custom" in told["error_description"]


def test_a_request_without_custom_scopes_stops_on_a_page(server: Server) -> None:
    for scope in (None, JIRA, "offline_access", ""):
        page = on_page(server.ask(server.request(scope=scope)))
        assert "no custom scope" in page["detail"]


@pytest.mark.parametrize("audience", [None, "api.atlassian.com", "own"])
def test_the_audience_is_absent_the_vendors_or_our_own(
    server: Server, audience: str | None
) -> None:
    named = server.url if audience == "own" else audience
    assert server.ask(server.request(audience=named)).status_code == 200


def test_namespaced_scopes_are_the_same_scopes(server: Server) -> None:
    named = f"{server.world.namespace}:{READ} {JIRA}"
    view = server.ask(server.request(scope=named, sns=None)).json()
    assert [each["name"] for each in view["scopes"]] == [READ, JIRA]
    other = f"{server.world.other_environment.namespace}:{READ}"
    told = redirected(server.ask(server.request(scope=f"{named} {other}")))
    assert told["error"] == "invalid_scope"


def test_without_sns_the_one_linked_app_is_meant(server: Server) -> None:
    assert server.ask(server.request(sns=None)).status_code == 200


def test_an_ambiguous_request_is_told_which_sns_to_add(server: Server) -> None:
    world = server.world
    other = world.link(environment_id=world.other_environment.id)
    owner = actor(world.developer)
    server.act(world.store.write(integrations.set_link, owner, world.client_id, other))
    try:
        page = on_page(server.ask(server.request(sns=None)))
        for environment in (world.environment, world.other_environment):
            assert f"sns={environment.namespace}" in page["fix"]
        assert server.ask(server.request()).status_code == 200
    finally:
        server.act(
            world.store.write(
                integrations.remove_link,
                owner,
                world.client_id,
                world.site.id,
                world.other_environment.id,
            )
        )


def test_an_app_that_is_not_linked_cannot_be_asked_for(server: Server) -> None:
    sns = server.world.other_environment.namespace
    assert redirected(server.ask(server.request(sns=sns)))["error"] == "invalid_request"


def test_who_has_no_site_for_it_is_told_so(server: Server) -> None:
    world = server.world
    page = on_page(server.ask(server.request(), world.outsider))
    assert "outsider@acme.test is not a member" in page["detail"]
    on_page(server.answer(server.request(), world.outsider))


def test_only_sites_whose_link_covers_the_request_are_offered(server: Server) -> None:
    world = server.world
    owner = actor(world.developer)
    narrow = world.link(site_id=world.other_site.id, scopes=frozenset({READ}))
    server.act(world.store.write(integrations.set_link, owner, world.client_id, narrow))
    try:
        view = server.ask(server.request()).json()
        assert [each["host"] for each in view["sites"]] == ["acme.test"]
        assert view["chosen"] == world.site.id
        on_page(server.answer(server.request(), site=world.other_site.id))
        both = server.ask(server.request(scope=f"{READ} {JIRA}")).json()
        assert len(both["sites"]) == 2
    finally:
        wide = world.link(site_id=world.other_site.id)
        server.act(world.store.write(integrations.set_link, owner, world.client_id, wide))


@pytest.mark.parametrize("site", ["", "elsewhere", "00000000-0000-4000-8000-000000000000"])
def test_a_site_that_was_not_offered_cannot_be_chosen(server: Server, site: str) -> None:
    assert on_page(server.answer(server.request(), site=site or " "))["title"] == "Choose a site"


def test_names_in_errors_cannot_break_out_of_the_description(server: Server) -> None:
    told = redirected(server.ask(server.request(scope=f'{READ} a"\\\n<é>:custom')))
    assert told["error"] == "invalid_scope"
    assert all(" " <= c <= "~" and c not in '"\\' for c in told["error_description"])


def test_a_redirect_uri_may_be_left_out_where_one_is_registered(server: Server) -> None:
    code = server.code(redirect_uri=None)
    assert server.exchange(code, redirect_uri=None).status_code == 200
    code = server.code(redirect_uri=None)
    assert server.exchange(code, redirect_uri="https://client.test/x").status_code == 400
    assert server.exchange(code, redirect_uri=CALLBACK).status_code == 200


def test_pkce_of_a_confidential_client(server: Server) -> None:
    verifier, challenge = pkce()
    code = server.code(code_challenge=challenge, code_challenge_method="S256")
    assert server.exchange(code, code_verifier=verifier).status_code == 200


def test_a_revoked_integration_is_unknown(server: Server) -> None:
    world = server.world
    owner = actor(world.developer)
    server.act(world.store.write(integrations.revoke_integration, owner, world.rival.client_id))
    page = on_page(server.ask(server.request(client_id=world.rival.client_id)))
    assert page["title"] == "Unknown integration"


@pytest.mark.parametrize("query", ["client_id=%ff", "a=1&" * 100, "client_id", "%00=é"])
def test_a_query_that_cannot_be_read_stops_on_a_page(server: Server, query: str) -> None:
    answer = httpx.get(f"{server.url}/authorize?{query}")
    on_page(answer)


def test_a_scope_list_is_bounded(server: Server) -> None:
    answer = server.ask(server.request(scope=f"{FULL_SCOPE} " + "x:y:custom " * 3000))
    assert answer.status_code in (400, 414)
