"""T-CODE-RACE, T-CODE-BIND, T-MIX, T-CSRF on consent: one code, one family, one client, one yes.

Planted bugs that these tests were seen to fail on: a used code judged as a fresh one; consuming
before the client is compared; not ending the family on a replay; `iss` left out of errors; the
answer taken by GET.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from access_world import CALLBACK, READ, audited
from oauth_world import Server, on_page, redirected
from sallyport.vocab.clock import SECOND
from sallyport.vocab.ids import new_secret

PRESENTERS = 50


def test_of_fifty_sockets_exactly_one_gets_tokens(server: Server) -> None:
    for _ in range(3):
        code = server.code()
        together = Barrier(PRESENTERS)

        def present(_n: int, code: str = code, together: Barrier = together) -> httpx.Response:
            together.wait(30)
            return server.exchange(code)

        with ThreadPoolExecutor(PRESENTERS) as pool:
            answers = list(pool.map(present, range(PRESENTERS)))
        statuses = sorted(each.status_code for each in answers)
        assert statuses == [200] + [400] * (PRESENTERS - 1)
        assert {each.json()["error"] for each in answers if each.status_code == 400} == {
            "invalid_grant"
        }


def test_a_later_replay_ends_what_the_code_gave(server: Server) -> None:
    code = server.code()
    tokens = server.exchange(code).json()
    assert server.resources(tokens["access_token"]).status_code == 200
    before = len(server.act(server.world.store.read(audited, "code:replayed")))
    server.clock.advance(600 * SECOND)
    assert server.exchange(code).json()["error"] == "invalid_grant"
    assert server.resources(tokens["access_token"]).status_code == 401
    assert server.refresh(tokens["refresh_token"]).status_code == 400
    assert len(server.act(server.world.store.read(audited, "code:replayed"))) == before + 1


def test_a_replay_with_a_wrong_redirect_uri_is_a_replay_too(server: Server) -> None:
    code = server.code()
    tokens = server.exchange(code).json()
    server.exchange(code, redirect_uri="https://client.test/x")
    assert server.resources(tokens["access_token"]).status_code == 401


def test_another_client_neither_redeems_nor_spoils_a_code(server: Server) -> None:
    world = server.world
    code = server.code()
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    assert server.exchange(code, **rival).json()["error"] == "invalid_grant"
    tokens = server.exchange(code).json()
    assert server.exchange(code, **rival).json()["error"] == "invalid_grant"
    assert server.resources(tokens["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "address", [None, "", "https://client.test/cb", CALLBACK + "&b=2", CALLBACK + "/"]
)
def test_another_redirect_uri_neither_redeems_nor_spoils_a_code(
    server: Server, address: str | None
) -> None:
    code = server.code()
    assert server.exchange(code, redirect_uri=address).json()["error"] == "invalid_grant"
    assert server.exchange(code).status_code == 200


def test_a_made_up_code_gets_the_same_answer_as_anothers(server: Server) -> None:
    world = server.world
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    anothers = server.exchange(server.code(), **rival).json()
    for made_up in (new_secret("spac"), "spac_x", "x", "\u00e9", "' OR 1=1 --", "a" * 5000):
        assert server.exchange(made_up).json() == anothers


def test_a_code_is_no_refresh_token_and_the_other_way_round(server: Server) -> None:
    assert server.refresh(server.code()).json()["error"] == "invalid_grant"
    token = server.tokens()["refresh_token"]
    assert server.exchange(token).json()["error"] == "invalid_grant"


def test_a_code_ends_after_a_minute(server: Server) -> None:
    code = server.code()
    server.clock.advance(60 * SECOND)
    assert server.exchange(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes", [{}, {"scope": "x:y:custom"}, {"prompt": "none"}, {"response_type": "token"}]
)
def test_every_answer_names_the_issuer_once(server: Server, changes: dict[str, str]) -> None:
    """T-MIX (RFC 9207)."""
    server_answers = [server.answer(server.request(**changes))]
    server_answers.append(server.answer(server.request(**changes), decision="deny"))
    for answer in server_answers:
        if answer.status_code == 303:
            assert redirected(answer)["iss"] == server.url


def test_a_get_never_decides(server: Server) -> None:
    wanted = {**server.request(), "decision": "allow", "site": server.world.site.id}
    answer = server.ask(wanted)
    assert answer.status_code == 200
    assert "location" not in answer.headers


@pytest.mark.parametrize("origin", ["cross-site", "same-site", "none"])
def test_a_form_from_elsewhere_decides_nothing(server: Server, origin: str) -> None:
    page = on_page(server.answer(server.request(), origin=origin), 403)
    assert page["title"] == "The request came from another site's page"


def test_the_answer_is_checked_as_strictly_as_the_question(server: Server) -> None:
    """Hidden fields are the browser's to change."""
    told = redirected(server.answer(server.request(scope=f"{READ} admin:employee:custom")))
    assert told["error"] == "invalid_scope"
    on_page(server.answer(server.request(redirect_uri="https://evil.test/")))
    on_page(server.answer(server.request(client_id="x")))
    on_page(server.answer(server.request(), site=server.world.app.id))
    on_page(server.answer(server.request(), server.world.outsider))
