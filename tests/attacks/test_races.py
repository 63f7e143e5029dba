"""T-CODE-RACE and T-RT at two servers at once, on SQLite and on PostgreSQL.

Two servers, each with a loop, a thread and a store of its own on one database, as two processes
have. Requests are sent but for their last byte, and let go together. A short run is in the suite;
`make soak` makes long ones.

Planted bugs that these tests were seen to fail on: a used code judged as a fresh one, or its family
left alive; a fresh successor for each presenter; a longer or a shorter window; reuse that ends
nothing; a revoked family refreshed; a refresh for more than there was, or by another client.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Barrier
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import create_engine, text

from access_world import CALLBACK, JIRA, READ, WRITE, actor, audited
from oauth_world import Server, authorization_server
from sallyport.model.directory import SiteRole
from sallyport.store import accounts, directory, grants
from sallyport.vocab.clock import MINUTE, SECOND

ROUNDS = int(os.environ.get("SALLYPORT_TEST_ROUNDS", "3"))
PRESENTERS = 50
SEALED = ("sqlite", "postgres")


@dataclass(frozen=True)
class Two:
    """Two servers on one database; tokens of one are tokens of the other."""

    first: Server
    second: Server

    def at_once(self, path: str, form: dict[str, str], count: int) -> list[tuple[int, Any]]:
        """The same request over so many connections, by turns to each server; its answers.

        All but the last byte of each is there before the last bytes go.
        """
        body = urlencode(form).encode()
        with ExitStack() as closing:
            lines = []
            for number in range(count):
                url = urlsplit((self.first, self.second)[number % 2].url)
                line = closing.enter_context(
                    socket.create_connection((str(url.hostname), int(url.port or 0)), 30)
                )
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n"
                )
                line.sendall(head.encode() + body[:-1])
                lines.append(line)
            for line in lines:
                line.sendall(body[-1:])
            return [_answer(line) for line in lines]

    def token(self, count: int, **form: str) -> list[tuple[int, Any]]:
        world = self.first.world
        client = {"client_id": world.client_id, "client_secret": world.secret}
        return self.at_once("/oauth/token", {**client, **form}, count)

    def is_dead(self, tokens: dict[str, Any]) -> bool:
        """Whether the access token opens nothing at either server, nor does the refresh token."""
        return all(
            _opens_nothing(server.resources(tokens["access_token"]))
            and server.refresh(tokens["refresh_token"]).status_code == 400
            for server in (self.first, self.second)
        )


def _opens_nothing(answer: httpx.Response) -> bool:
    """Dead, or good for no site, as a token is whose account is no member any more."""
    return answer.status_code == 401 or (answer.status_code == 200 and answer.json() == [])


def _answer(line: socket.socket) -> tuple[int, Any]:
    received = b""
    while more := line.recv(65536):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


@pytest.fixture(scope="module", params=SEALED)
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("race")
    database = ""
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_url")
        engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as conn:
            conn.execute(text("DROP SCHEMA IF EXISTS public CASCADE"))
            conn.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    with (
        authorization_server(folder, database=database) as first,
        authorization_server(folder, beside=first) as second,
    ):
        yield Two(first, second)


def audits(two: Two, event: str) -> int:
    return len(two.first.act(two.first.world.store.read(audited, event)))


def test_of_fifty_presenters_of_a_code_one_gets_tokens(two: Two) -> None:
    for _ in range(ROUNDS):
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
        code = two.first.code()
        before = audits(two, "token:issued")
        answers = two.token(PRESENTERS, **form, code=code)
        given = [body for status, body in answers if status == 200]
        assert len(given) == 1
        lost = [(status, body["error"]) for status, body in answers if status != 200]
        assert set(lost) == {(400, "invalid_grant")}
        assert audits(two, "token:issued") == before + 1
        assert two.is_dead(given[0]), "who came later revealed that the code had leaked"


def test_a_later_replay_ends_what_the_winner_got(two: Two) -> None:
    for _ in range(ROUNDS):
        code = two.first.code()
        (first,) = two.token(1, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
        assert two.second.resources(first[1]["access_token"]).status_code == 200
        assert two.second.exchange(code).json()["error"] == "invalid_grant"
        assert two.is_dead(first[1])


def test_fifty_presenters_of_a_refresh_token_share_one_successor(two: Two) -> None:
    """T-RT (a)."""
    for _ in range(ROUNDS):
        token = two.first.tokens()["refresh_token"]
        answers = two.token(PRESENTERS, grant_type="refresh_token", refresh_token=token)
        assert {status for status, _ in answers} == {200}
        (successor,) = {body["refresh_token"] for _, body in answers}
        assert two.second.refresh(successor).status_code == 200


def test_a_lost_answer_is_had_again_at_the_other_server(two: Two) -> None:
    """T-RT (b)."""
    token = two.first.tokens()["refresh_token"]
    lost = two.first.refresh(token).json()["refresh_token"]
    two.first.clock.advance(29 * SECOND)
    assert two.second.refresh(token).json()["refresh_token"] == lost


def test_a_parent_after_the_window_and_a_grandparent_end_the_family(two: Two) -> None:
    """T-RT (c)."""
    for wait in (0, 30 * SECOND):
        first = two.first.tokens()
        second = two.first.refresh(first["refresh_token"]).json()
        newest = second
        if not wait:
            newest = two.second.refresh(second["refresh_token"]).json()
        two.first.clock.advance(wait)
        before = audits(two, "token:reuse-detected")
        assert two.second.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
        assert audits(two, "token:reuse-detected") == before + 1
        assert two.is_dead(newest)


def revoke(two: Two, tokens: dict[str, Any]) -> None:
    assert two.second.revoke(tokens["refresh_token"]).status_code == 200


def end_consent(two: Two, _tokens: dict[str, Any]) -> None:
    world, server = two.second.world, two.second
    lines = server.act(world.store.read(grants.grants_of_account, world.member.id))
    for each in lines:
        server.act(world.store.write(grants.end_grant, actor(world.member), each.grant.id))


def disable(two: Two, _tokens: dict[str, Any]) -> None:
    world, server = two.second.world, two.second
    assert server.act(world.store.write(accounts.set_active, world.member.id, False))


def end_membership(two: Two, _tokens: dict[str, Any]) -> None:
    world, server = two.second.world, two.second
    ended = world.store.write(directory.end_membership, world.member.id, world.site.id)
    assert server.act(ended)


@pytest.mark.parametrize("act", [revoke, end_consent, disable, end_membership])
def test_a_refresh_never_overtakes_an_end(
    two: Two, act: Callable[[Two, dict[str, Any]], None]
) -> None:
    """T-RT (d): whatever the order, afterwards nothing works."""
    world = two.first.world
    for _ in range(ROUNDS * 2):
        tokens = two.first.tokens()
        together = Barrier(5)

        def refresh(number: int, token: str, together: Barrier) -> list[dict[str, Any]]:
            """Several in a row, each with the newest token, while the end comes."""
            got = []
            together.wait(30)
            for _ in range(3):
                answer = (two.first, two.second)[number % 2].refresh(token)
                if answer.status_code != 200:
                    break
                got.append(answer.json())
                token = got[-1]["refresh_token"]
            return got

        with ThreadPoolExecutor(4) as pool:
            sent = [
                pool.submit(refresh, number, tokens["refresh_token"], together)
                for number in range(4)
            ]
            together.wait(30)
            act(two, tokens)
            given = [each for answers in sent for each in answers.result()]
        assert all(two.is_dead(each) for each in [tokens, *given])
        two.first.act(world.store.write(accounts.set_active, world.member.id, True))
        back = world.store.write(
            directory.set_membership, world.member.id, world.site.id, SiteRole.MEMBER
        )
        two.first.act(back)


def test_twice_in_one_moment_at_two_servers(two: Two) -> None:
    """T-RT (e): the clock stands still."""
    first = two.first.tokens()["refresh_token"]
    second = two.first.refresh(first).json()["refresh_token"]
    third = two.second.refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert two.first.refresh(third).status_code == 200


def test_neither_wider_nor_anothers(two: Two) -> None:
    """T-RT (f) and (g)."""
    world = two.first.world
    token = two.first.tokens(scope=f"{READ} {JIRA} offline_access")["refresh_token"]
    for _, body in two.token(4, grant_type="refresh_token", refresh_token=token, scope=WRITE):
        assert body["error"] == "invalid_scope"
    rival = {"client_id": world.rival.client_id, "client_secret": world.rival_secret}
    assert two.second.refresh(token, **rival).json()["error"] == "invalid_grant"
    assert two.second.refresh(token).status_code == 200, "and it is as it was"


@pytest.mark.parametrize("step", [-5 * MINUTE, 5 * MINUTE])
def test_a_clock_that_steps_doubles_nothing(two: Two, step: int) -> None:
    """T-RT (h): after a step back or ahead there is still one successor, and reuse is seen."""
    clock = two.first.clock
    tokens = two.first.tokens()
    clock.advance(step)
    second = two.second.refresh(tokens["refresh_token"]).json()
    clock.advance(-step)
    again = two.first.refresh(tokens["refresh_token"])
    if again.status_code == 200:
        assert again.json()["refresh_token"] == second["refresh_token"]
        third = two.first.refresh(second["refresh_token"]).json()
        assert two.second.refresh(tokens["refresh_token"]).status_code == 400
        assert two.is_dead(third)
    else:
        assert two.is_dead(second)


def test_a_code_is_spent_whatever_the_clock_does(two: Two) -> None:
    code = two.first.code()
    tokens = two.first.exchange(code).json()
    two.first.clock.advance(-5 * MINUTE)
    assert two.second.exchange(code).json()["error"] == "invalid_grant"
    two.first.clock.advance(5 * MINUTE)
    assert two.is_dead(tokens)


@pytest.fixture(autouse=True)
def _forward(two: Two) -> Iterator[None]:
    """No test begins before another one's time."""
    yield
    two.first.clock.advance(10 * MINUTE)
