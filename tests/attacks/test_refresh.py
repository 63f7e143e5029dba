"""T-RT: a refresh token has one successor; older ones end the family.

Planted bugs that these tests were seen to fail on: a fresh successor for each presenter in the
window, stored or not; no end of the family on reuse, or only after the window; a longer window; the
client not compared; scopes taken from the request.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from access_world import JIRA, READ, WRITE, actor, audited
from oauth_world import Server
from sallyport.store import grants
from sallyport.vocab.clock import MINUTE, SECOND

PRESENTERS = 50


def test_fifty_concurrent_presenters_share_one_successor(server: Server) -> None:
    token = server.tokens()["refresh_token"]
    together = Barrier(PRESENTERS)

    def present(_n: int) -> httpx.Response:
        together.wait(30)
        return server.refresh(token)

    with ThreadPoolExecutor(PRESENTERS) as pool:
        answers = list(pool.map(present, range(PRESENTERS)))
    assert {each.status_code for each in answers} == {200}
    (successor,) = {each.json()["refresh_token"] for each in answers}
    assert server.refresh(successor).status_code == 200


def test_a_lost_answer_can_be_asked_for_again(server: Server) -> None:
    token = server.tokens()["refresh_token"]
    lost = server.refresh(token).json()
    again = server.refresh(token).json()
    assert again["refresh_token"] == lost["refresh_token"]
    assert server.resources(again["access_token"]).status_code == 200


def test_reuse_after_the_window_ends_the_family_and_is_remembered(server: Server) -> None:
    token = server.tokens()["refresh_token"]
    successor = server.refresh(token).json()
    before = len(server.act(server.world.store.read(audited, "token:reuse-detected")))
    server.clock.advance(30 * SECOND)
    assert server.refresh(token).json()["error"] == "invalid_grant"
    assert server.refresh(successor["refresh_token"]).json()["error"] == "invalid_grant"
    assert server.resources(successor["access_token"]).status_code == 401
    assert len(server.act(server.world.store.read(audited, "token:reuse-detected"))) == before + 1


def test_a_grandparent_ends_the_family(server: Server) -> None:
    first = server.tokens()["refresh_token"]
    second = server.refresh(first).json()["refresh_token"]
    third = server.refresh(second).json()["refresh_token"]
    assert server.refresh(first).json()["error"] == "invalid_grant"
    assert server.refresh(third).json()["error"] == "invalid_grant"


def test_two_rotations_in_one_moment_are_two_rotations(server: Server) -> None:
    """T-RT (e): the clock stands still here."""
    first = server.tokens()["refresh_token"]
    second = server.refresh(first).json()["refresh_token"]
    third = server.refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert server.refresh(third).status_code == 200


def test_refreshing_never_widens(server: Server) -> None:
    narrow = server.tokens(scope=f"{READ} {JIRA} offline_access")
    server.tokens()
    namespace = server.world.namespace
    for wider in (WRITE, f"{READ} {WRITE}", f"{namespace}:{WRITE}", "openid"):
        answer = server.refresh(narrow["refresh_token"], scope=wider)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    less = server.refresh(narrow["refresh_token"], scope=f"{namespace}:{READ}").json()
    assert less["scope"] == f"{namespace}:{READ}"
    back = server.refresh(less["refresh_token"]).json()
    assert back["scope"] == narrow["scope"]


def test_another_client_neither_uses_nor_ends_it(server: Server) -> None:
    world = server.world
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    token = server.tokens()["refresh_token"]
    for _ in range(2):
        assert server.refresh(token, **rival).json()["error"] == "invalid_grant"
    successor = server.refresh(token).json()["refresh_token"]
    server.clock.advance(MINUTE)
    assert server.refresh(token, **rival).json()["error"] == "invalid_grant"
    assert server.refresh(successor).status_code == 200


def test_a_clock_that_steps_back_neither_ends_nor_doubles_anything(server: Server) -> None:
    """T-RT (h)."""
    token = server.tokens()["refresh_token"]
    successor = server.refresh(token).json()["refresh_token"]
    server.clock.advance(-5 * MINUTE)
    assert server.refresh(token).json()["refresh_token"] == successor
    server.clock.advance(5 * MINUTE)
    assert server.refresh(successor).status_code == 200


def test_refreshes_that_race_the_end_of_the_consent_leave_nothing(server: Server) -> None:
    """T-RT (d)."""
    world = server.world
    for _ in range(10):
        tokens = server.tokens()
        (held,) = [
            each.grant
            for each in server.act(world.store.read(grants.grants_of_account, world.member.id))
            if each.grant.client_id == world.client_id
        ]
        together = Barrier(9)

        def refresh(
            _n: int, token: str = tokens["refresh_token"], together: Barrier = together
        ) -> httpx.Response:
            together.wait(30)
            return server.refresh(token)

        with ThreadPoolExecutor(8) as pool:
            racing = pool.map(refresh, range(8))
            together.wait(30)
            server.act(world.store.write(grants.end_grant, actor(world.admin), held.id))
            answers = list(racing)
        for each in answers:
            if each.status_code == 200:
                assert server.resources(each.json()["access_token"]).status_code == 401
                assert server.refresh(each.json()["refresh_token"]).status_code == 400
        assert server.refresh(tokens["refresh_token"]).status_code == 400
