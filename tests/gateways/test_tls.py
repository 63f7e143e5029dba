"""Several gateway processes that speak TLS themselves.

Planted bugs that these tests were seen to fail on: not waiting for the other process after a
commit; waiting, at the end, for whoever has not shaken hands.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from several_world import Several, call, deploy, is_gone, several_by_tls, until

from app_world import DeployedApp
from sallyport.cli.server import GRACE_S

SILENT = 40
AT_ONCE = 40


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    with several_by_tls(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.fixture(scope="module")
def app(secured: Several) -> DeployedApp:
    return deploy(secured)


def owners_of_a_burst(several: Several, app: DeployedApp) -> Counter[int | None]:
    """Which processes answer a call of each of many connections; all are let in."""
    url, trusted = several.demo.facts["public_url"], ssl.create_default_context()
    clients = [httpx.Client(base_url=url, verify=trusted) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: call(client, app), clients))
    assert {each.status_code for each in answers} == {200}
    owners = Counter(several.owner_of(each) for each in answers)
    for client in clients:
        client.close()
    return owners


def plain(several: Several) -> socket.socket:
    """A connection through which no TLS is spoken."""
    return socket.create_connection(("localhost", several.port), 15)


def test_both_serve_and_share_a_burst(secured: Several, app: DeployedApp) -> None:
    owners = owners_of_a_burst(secured, app)
    assert set(owners) == set(secured.gateways)
    assert min(owners.values()) >= AT_ONCE // 8, owners


def test_off_is_off_in_the_other(secured: Several, app: DeployedApp) -> None:
    one, other = secured.gateways
    admin = app.demo.person("admin")
    for here, there in ((one, other), (other, one)):
        with secured.through(here) as acting, secured.through(there) as calling:
            assert call(calling, app).status_code == 200
            answer = acting.put(
                f"/api/v1{app.switch_path}",
                auth=(admin.email, admin.api_token),
                json={"enabled": False},
            )
            assert answer.is_success, answer.text
            refused = call(calling, app)
            app.turn(on=True)
            assert (refused.status_code, refused.json()["reason"]) == (403, "rest_apis_off")


def test_who_speaks_no_tls_gets_no_answer(secured: Several, app: DeployedApp) -> None:
    with plain(secured) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not line.recv(65536).startswith(b"HTTP")
    assert app.call("GET", "/quick").status_code == 200


def test_who_says_nothing_holds_up_nobody(secured: Several, app: DeployedApp) -> None:
    with ExitStack() as silent:
        for _ in range(SILENT):
            silent.enter_context(plain(secured)).sendall(b"\x16\x03\x01")
        owners = owners_of_a_burst(secured, app)
        assert set(owners) == set(secured.gateways)
        assert min(owners.values()) >= AT_ONCE // 8, owners


def test_what_runs_is_answered_when_all_are_told_to_stop(
    secured: Several, app: DeployedApp
) -> None:
    """And whoever has not said who they are is not waited for."""
    gateways = secured.gateways
    with ExitStack() as open_ones:
        lines = [open_ones.enter_context(secured.line(app, pid)) for pid in gateways]
        for _ in range(SILENT):
            open_ones.enter_context(plain(secured))
        for number, line in enumerate(lines):
            line.send(line.head("POST", f"/run/last-{number}", "Content-Length: 1") + b"2")
        until(lambda: all(app.call("GET", f"/runs/last-{n}").text == "1" for n in range(2)))
        os.kill(secured.pid, signal.SIGTERM)
        for line in lines:
            status, headers, _ = line.reply()
            assert (status, headers["connection"]) == (200, "close")
            assert line.socket.recv(1) == b""
        assert secured.command.process.wait(GRACE_S) == 0
    assert all(is_gone(pid) for pid in gateways)
