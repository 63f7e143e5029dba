"""Gateway processes that die, stand still or are told to stop; and a host that dies.

Planted bugs that these tests were seen to fail on: the host starting calls that were decided from
facts older than two seconds, with a gateway that relies on them; the runs of a process that died
left as they were.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from several_world import Several, bearer, deploy, is_gone, several_on, until

from app_world import DeployedApp

LEASE_S = 2.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    with several_on(tmp_path_factory.mktemp("failing") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def app(own: Several) -> DeployedApp:
    return deploy(own)


def serves_whole(several: Several) -> bool:
    return len(several.gateways) == 2 and several.ready().status_code == 200


def counted(several: Several) -> float:
    name = 'sallyport_calls_total{gate="none",status="2xx"} '
    lines = several.metrics().splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_one_that_is_killed_is_missed_by_nobody_else_and_comes_back(
    own: Several, app: DeployedApp
) -> None:
    doomed, staying = own.gateways
    clients = [own.client(staying) for _ in range(3)]
    stop, statuses = threading.Event(), []

    def load(client: httpx.Client) -> None:
        while not stop.is_set():
            answer = client.get(f"{app.base_path}/quick", headers=bearer(app))
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=load, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    label = uuid.uuid4().hex
    key = {**bearer(app), "Idempotency-Key": label}
    before = counted(own)
    with own.line(app, doomed) as line:
        line.send(
            line.head("POST", f"/run/{label}", f"Idempotency-Key: {label}", "Content-Length: 1")
        )
        line.send(b"1")
        until(lambda: app.call("GET", f"/runs/{label}").text == "1")
        os.kill(doomed, signal.SIGKILL)
        began = time.monotonic()
        app.turn(on=True)
        assert time.monotonic() - began < LEASE_S + 3
    until(lambda: serves_whole(own))
    stop.set()
    for thread in threads:
        thread.join(60)
    assert set(statuses) == {200}
    assert doomed not in own.gateways
    (fresh,) = set(own.gateways) - {staying}
    with own.through(fresh) as client:
        assert client.get(f"{app.base_path}/quick", headers=bearer(app)).status_code == 200
        # What it had begun ended without anybody knowing how, and is not run again.
        again = client.post(f"{app.base_path}/run/{label}", headers=key, content=b"1")
        assert (again.status_code, again.json()["reason"]) == (409, "idempotency_interrupted")
    assert counted(own) >= before
    for client in clients:
        client.close()


def test_one_that_stands_still_serves_nothing_that_was_ended_meanwhile(
    own: Several, app: DeployedApp
) -> None:
    """The act is answered when its lease is over; what it has in hand then is refused."""
    until(lambda: serves_whole(own))
    still, other = own.gateways
    for _ in range(2):
        app.turn(on=True)
        with own.line(app, still) as waiting, own.line(app, still) as halfway:
            halfway.send(halfway.head("POST", "/run/half", "Content-Length: 2") + b"0")
            time.sleep(0.1)
            os.kill(still, signal.SIGSTOP)
            try:
                waiting.send(waiting.head("GET", "/quick"))
                halfway.send(b".")
                with own.through(other) as client:
                    admin = app.demo.person("admin")
                    began = time.monotonic()
                    answer = client.put(
                        f"/api/v1{app.switch_path}",
                        auth=(admin.email, admin.api_token),
                        json={"enabled": False},
                    )
                    took = time.monotonic() - began
                    assert answer.status_code == 200, answer.text
                    assert LEASE_S <= took < LEASE_S + 4, took
                    refused = client.get(f"{app.base_path}/quick", headers=bearer(app))
                    assert refused.status_code == 403
                ready = own.ready()
                assert (ready.status_code, "does not answer" in ready.text) == (503, True)
            finally:
                os.kill(still, signal.SIGCONT)
            for line in (waiting, halfway):
                status, _, body = line.reply()
                assert status in (403, 503), (status, body)
        until(lambda: serves_whole(own))
    app.turn(on=True)
    assert app.call("GET", "/quick").status_code == 200
    assert still in own.gateways


def test_what_runs_is_answered_when_all_are_told_to_stop(own: Several, app: DeployedApp) -> None:
    until(lambda: serves_whole(own))
    gateways = own.gateways
    lines = [own.line(app, pid) for pid in gateways]
    idle = [own.line(app, pid) for pid in gateways]
    for number, line in enumerate(lines):
        line.send(line.head("POST", f"/run/last-{number}", "Content-Length: 1") + b"2")
    until(lambda: all(app.call("GET", f"/runs/last-{n}").text == "1" for n in range(2)))
    os.kill(own.pid, signal.SIGTERM)
    for line in lines:
        status, headers, _ = line.reply()
        assert (status, headers["connection"]) == (200, "close")
    for line in (*lines, *idle):
        # The end of the stream, not a reset.
        assert line.socket.recv(1) == b""
        line.socket.close()
    assert own.command.process.wait(30) == 0
    assert all(is_gone(pid) for pid in gateways)


def test_without_their_host_they_end(tmp_path: Path) -> None:
    with several_on(tmp_path / "data") as several:
        gateways, demo = several.gateways, several.demo
        with several.through(gateways[0]) as client:
            token = {"Authorization": f"Bearer {demo.facts['access_token']}"}
            url = httpx.URL(demo.facts["base_url"]).path + "/getEmployeeName?id=1234"
            assert client.get(url, headers=token).status_code == 200
            os.kill(several.pid, signal.SIGKILL)
            until(lambda: several.command.process.poll() is not None)
            with suppress(httpx.TransportError):
                assert client.get(url, headers=token).status_code >= 500
        until(lambda: all(is_gone(pid) for pid in gateways))
        with pytest.raises(httpx.ConnectError):
            httpx.get(demo.facts["public_url"])
