"""RFC 9126, pushed authorization requests: what the browser carries is a handle, good once.

Planted bugs that these tests were seen to fail on: the handle not consumed, or read before it is
written; the client of a handle not compared; the address's parameters taken besides, or instead;
no end in time, of either handle; the handle told by the client good at the answer; the answer not
using the request up, by Allow or by Deny; `request_uri` taken in what is pushed; the client not
authenticated; `require_par` not looked at; the steps not run at the push, or not again; the proof's
key not bound to the code; `prompt=login` forgotten, or asked for ever.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from access_world import CALLBACK, OTHER_CALLBACK
from oauth_world import Server, on_page, pkce, redirected
from proving import Prover
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.store.integrations import change_integration
from sallyport.vocab.clock import SECOND

URN = "urn:ietf:params:oauth:request_uri:"
Asked = dict[str, str]


def push(server: Server, headers: Any = None, **changes: str | None) -> httpx.Response:
    """POST /oauth/par as the integration, with its secret in the body."""
    wanted = {**server.request(), "client_secret": server.world.secret, **changes}
    form = {name: value for name, value in wanted.items() if value is not None}
    return server.post("/oauth/par", form, headers=headers)


def pushed(server: Server, **changes: str | None) -> Asked:
    """What the browser is sent to /authorize with."""
    answer = push(server, **changes)
    assert answer.status_code == 201, answer.text
    client_id = changes.get("client_id") or server.world.client_id
    return {"client_id": client_id, "request_uri": answer.json()["request_uri"]}


def opened(server: Server, asked: Asked) -> Asked:
    """The browser brings the handle and is sent on with its own."""
    answer = server.ask(asked)
    assert answer.status_code == 303, answer.text
    address = urlsplit(answer.headers["location"])
    assert address.path == "/authorize"
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def refused(answer: httpx.Response, error: str, status: int = 400) -> str:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: str = answer.json()["error_description"]
    return told


def no_longer_good(answer: httpx.Response) -> None:
    assert "no longer good" in on_page(answer)["title"]


def test_section_2_2_the_answer_is_a_handle_and_its_lifetime(server: Server) -> None:
    answer = push(server)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.keys() == {"request_uri", "expires_in"}
    assert 0 < told["expires_in"] <= 90
    assert told["request_uri"].startswith(f"{URN}sppr_")
    assert push(server).json()["request_uri"] != told["request_uri"]


def test_section_4_the_flow_from_push_to_tokens(server: Server) -> None:
    verifier, challenge = pkce()
    asked = pushed(server, code_challenge=challenge, code_challenge_method="S256")
    mine = opened(server, asked)
    view = server.ask(mine).json()
    assert view["redirect_host"] == "client.test"
    assert dict(view["fields"]) == mine, "the page brings the handle back, and nothing of the rest"
    answer = redirected(server.answer(mine))
    assert answer.keys() - {"a"} == {"code", "state", "iss"}
    assert answer["state"] == server.request()["state"]
    assert server.exchange(answer["code"], code_verifier=verifier).status_code == 200


@pytest.mark.parametrize("fields", [{"client_secret": None}, {"client_secret": "wrong"}], ids=str)
def test_section_2_1_the_client_is_authenticated(
    server: Server, fields: dict[str, str | None]
) -> None:
    refused(push(server, **fields), "invalid_client", 401)


def test_section_2_1_it_may_authenticate_by_basic(server: Server) -> None:
    """Section 2: the same ways as at the token endpoint; `client_id` need not be repeated."""
    basic = base64.b64encode(f"{server.world.client_id}:{server.world.secret}".encode()).decode()
    fields = {"client_id": None, "client_secret": None}
    answer = push(server, {"Authorization": f"Basic {basic}"}, **fields)
    assert answer.status_code == 201
    asked = {**answer.json(), "client_id": server.world.client_id}
    assert redirected(
        server.answer(
            opened(server, {"client_id": asked["client_id"], "request_uri": asked["request_uri"]})
        )
    )["code"]


def test_section_2_1_a_public_client_may_push_too(server: Server) -> None:
    client_id = server.integration(ClientKind.PUBLIC)
    _, challenge = pkce()
    more = {"code_challenge": challenge, "code_challenge_method": "S256", "client_secret": None}
    asked = pushed(server, client_id=client_id, **more)
    assert redirected(server.answer(opened(server, asked)))["code"]


def test_section_2_1_one_client_does_not_push_for_another(server: Server) -> None:
    basic = f"{server.world.rival.client_id}:{server.world.rival_secret}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(basic).decode()}"}
    refused(push(server, headers, client_secret=None), "invalid_request")


@pytest.mark.parametrize("uri", ["", URN + "x", "https://elsewhere.test/request"])
def test_section_2_1_request_uri_is_not_pushed(server: Server, uri: str) -> None:
    assert "request_uri" in refused(push(server, request_uri=uri), "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.test/cb"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "admin:everything:custom"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge": "c" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
    ids=str,
)
def test_section_2_3_a_bad_request_is_refused_when_it_is_pushed(
    server: Server, changes: dict[str, str | None], error: str
) -> None:
    """Section 2.1: validated as at the authorization endpoint; section 2.3: told as JSON."""
    assert refused(push(server, **changes), error)


def test_section_2_3_parameters_come_once_and_in_the_body(server: Server) -> None:
    form = {**server.request(), "client_secret": server.world.secret}
    twice = {name: [value] for name, value in form.items()} | {"state": ["a", "b"]}
    refused(httpx.post(f"{server.url}/oauth/par", data=twice), "invalid_request")
    refused(server.post("/oauth/par?state=a", form), "invalid_request")


def test_section_2_3_get_is_not_allowed(server: Server) -> None:
    assert httpx.get(f"{server.url}/oauth/par", params=server.request()).status_code == 405


def test_section_7_3_a_handle_is_good_once(server: Server) -> None:
    """Section 7.3, replay: whoever comes second gets nothing, and the first goes on."""
    asked = pushed(server)
    mine = opened(server, asked)
    no_longer_good(server.ask(asked))
    no_longer_good(server.answer(asked))
    assert server.ask(mine).status_code == 200
    redirected(server.answer(mine))
    no_longer_good(server.ask(asked))


def test_section_7_3_of_many_at_once_one_opens_it(server: Server) -> None:
    asked = pushed(server)
    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(lambda _: server.ask(asked), range(16)))
    assert sorted(each.status_code for each in answers) == [303] + [400] * 15


def test_section_7_3_the_browsers_handle_survives_reloads_and_ends_with_the_answer(
    server: Server,
) -> None:
    mine = opened(server, pushed(server))
    for _ in range(3):
        assert server.ask(mine).status_code == 200
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: server.answer(mine), range(8)))
    assert [each.status_code for each in answers].count(303) == 1
    no_longer_good(server.ask(mine))
    no_longer_good(server.answer(mine))


def test_section_7_3_a_denied_request_is_not_allowed_after_all(server: Server) -> None:
    mine = opened(server, pushed(server))
    assert redirected(server.answer(mine, decision="deny"))["error"] == "access_denied"
    no_longer_good(server.answer(mine))


def test_section_2_2_the_handle_is_bound_to_its_client(server: Server) -> None:
    """Section 2.2, section 4: another client cannot use it, nor spoil it."""
    asked = pushed(server)
    no_longer_good(server.ask({**asked, "client_id": server.world.rival.client_id}))
    no_longer_good(server.ask({"request_uri": asked["request_uri"]}))
    mine = opened(server, asked)
    no_longer_good(server.ask({**mine, "client_id": server.world.rival.client_id}))
    assert redirected(server.answer(mine))["code"]


def test_section_2_2_handles_expire(server: Server) -> None:
    asked = pushed(server)
    server.clock.advance(90 * SECOND)
    no_longer_good(server.ask(asked))
    mine = opened(server, pushed(server))
    server.clock.advance(899 * SECOND)
    assert server.ask(mine).status_code == 200
    server.clock.advance(1 * SECOND)
    no_longer_good(server.ask(mine))
    no_longer_good(server.answer(mine))


@pytest.mark.parametrize(
    "override",
    [
        {"redirect_uri": OTHER_CALLBACK},
        {"redirect_uri": "https://evil.test/cb"},
        {"state": "forged"},
        {"scope": "read:employee:custom"},
        {"code_challenge": "c" * 43},
        {"prompt": "none"},
        {"response_mode": "query"},
    ],
    ids=str,
)
def test_section_4_the_address_does_not_override_what_was_pushed(
    server: Server, override: dict[str, str]
) -> None:
    """RFC 9101 section 6.3: the pushed parameters alone count; a page tells what differs."""
    for ask, asked in ((server.ask, pushed(server)), (server.ask, opened(server, pushed(server)))):
        assert next(iter(override)) in on_page(ask({**asked, **override}))["detail"]
    mine = opened(server, pushed(server))
    assert next(iter(override)) in on_page(server.answer({**mine, **override}))["detail"]


def test_section_4_the_address_may_repeat_what_was_pushed(server: Server) -> None:
    """RFC 9101 section 5: clients may send the same parameters besides."""
    asked = pushed(server)
    again = {**server.request(), **asked}
    assert redirected(server.answer(opened(server, again)))["code"]
    twice = [*pushed(server).items(), ("max_age", "1"), ("scope", "a"), ("scope", "a")]
    assert "scope" in on_page(server.ask(twice))["detail"]


@pytest.mark.parametrize("handle", ["", "../x", "sppr_" + "a" * 43 + "_000000", "spac_x"])
def test_section_4_an_unknown_handle_is_none(server: Server, handle: str) -> None:
    no_longer_good(server.ask(server.request(request_uri=URN + handle)))


def test_section_4_no_other_request_uri_is_taken(server: Server) -> None:
    """No address is ever fetched."""
    told = redirected(server.ask(server.request(request_uri="https://elsewhere.test/r.jwt")))
    assert told["error"] == "request_uri_not_supported"


def test_section_4_it_is_checked_again_when_the_browser_comes(server: Server) -> None:
    """What was right when it was pushed may be right no more."""
    world = server.world
    by = Actor(world.developer.id, world.developer.name)
    before = world.integration.redirect_uris
    asked, mine = pushed(server), opened(server, pushed(server))

    def set_callbacks(uris: tuple[str, ...]) -> None:
        server.act(world.store.write(change_integration, by, world.client_id, redirect_uris=uris))

    set_callbacks((OTHER_CALLBACK,))
    try:
        for answer in (server.ask(asked), server.ask(mine), server.answer(mine)):
            assert on_page(answer)["title"] == "Wrong callback URL"
    finally:
        set_callbacks(before)


def test_section_5_metadata_names_the_endpoint(server: Server) -> None:
    told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert told["pushed_authorization_request_endpoint"] == f"{server.url}/oauth/par"
    assert told["require_pushed_authorization_requests"] is False
    assert told["request_uri_parameter_supported"] is False


def test_section_6_a_client_may_be_held_to_it(server: Server) -> None:
    """`require_pushed_authorization_requests` of a client: a plain request is refused."""
    client_id = server.integration(ClientKind.PUBLIC, require_par=True)
    _, challenge = pkce()
    more = {"code_challenge": challenge, "code_challenge_method": "S256", "client_id": client_id}
    for answer in (server.ask(server.request(**more)), server.answer(server.request(**more))):
        told = redirected(answer)
        assert told["error"] == "invalid_request"
        assert "/oauth/par" in told["error_description"]
        assert told["iss"] == server.url
    asked = pushed(server, **more, client_secret=None)
    assert redirected(server.answer(opened(server, asked)))["code"]


def test_section_4_signing_in_on_the_way_loses_nothing(server: Server) -> None:
    """The handle was used up by a stranger's browser, which then signs in and comes back."""
    asked = pushed(server)
    with httpx.Client(base_url=server.url) as browser:
        mine = browser.get("/authorize", params=asked).headers["location"]
        door = urlsplit(browser.get(mine).headers["location"])
        assert door.path == "/login"
        back = parse_qs(door.query)["next"][0]
        assert back == mine
        server.clock.advance(600 * SECOND)
        browser.cookies.set("who", server.world.member.id)
        view = browser.get(back)
        assert view.status_code == 200, view.text
    assert redirected(server.answer(dict(view.json()["fields"])))["code"]


def test_section_4_signing_in_anew_is_asked_for_once(server: Server) -> None:
    """`prompt=login`, pushed, has been met when the person comes back."""
    mine = opened(server, pushed(server, prompt="login consent"))
    door = urlsplit(server.ask(mine).headers["location"])
    assert door.path == "/login"
    back = dict(httpx.URL(parse_qs(door.query)["next"][0]).params)
    assert back == mine
    assert server.ask(back).status_code == 200
    assert redirected(server.answer(back))["code"]


def test_section_4_errors_go_to_the_pushed_address_with_iss(server: Server) -> None:
    mine = opened(server, pushed(server, prompt="none", state="kept"))
    with httpx.Client(base_url=server.url) as stranger:
        told = redirected(stranger.get("/authorize", params=mine))
    assert (told["error"], told["state"], told["iss"]) == ("login_required", "kept", server.url)


def test_section_7_1_what_is_stored_opens_nothing(server: Server) -> None:
    """Sections 7.1 and 7.2: handles cannot be guessed; the database has digests alone."""
    asked = pushed(server)
    handle = asked["request_uri"].removeprefix(URN)
    assert len(handle) > 43

    async def stored(reader: Reader) -> list[str]:
        rows = await reader.all(select(schema.pushed_request))
        return [str(tuple(row)) for row in rows]

    rows = server.act(server.world.store.read(stored))
    assert rows
    assert not any(handle in row or server.world.secret in row for row in rows)


@pytest.mark.parametrize("named", [False, True])
def test_rfc9449_section_10_1_a_proof_binds_the_code(server: Server, named: bool) -> None:
    """A DPoP proof at the push is `dpop_jkt`; where both come they must agree."""
    prover = Prover(now=server.clock.now() / SECOND)
    proof = prover.prove("POST", f"{server.url}/oauth/par")
    answer = push(server, {"DPoP": proof}, dpop_jkt=prover.jkt if named else None)
    assert answer.status_code == 201, answer.text
    asked = {"client_id": server.world.client_id, "request_uri": answer.json()["request_uri"]}
    code = redirected(server.answer(opened(server, asked)))["code"]
    refused(server.exchange(code), "invalid_grant")
    proof = prover.prove("POST", f"{server.url}/oauth/token")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    form |= {"client_id": server.world.client_id, "client_secret": server.world.secret}
    tokens = server.post("/oauth/token", form, headers={"DPoP": proof})
    assert tokens.json()["token_type"] == "DPoP"


def test_rfc9449_section_10_1_two_keys_are_refused(server: Server) -> None:
    prover = Prover(now=server.clock.now() / SECOND)
    other = Prover(now=prover.now)
    proof = prover.prove("POST", f"{server.url}/oauth/par")
    assert "dpop_jkt" in refused(
        push(server, {"DPoP": proof}, dpop_jkt=other.jkt), "invalid_request"
    )
    refused(push(server, {"DPoP": "nonsense"}), "invalid_dpop_proof")
