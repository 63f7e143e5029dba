"""Connections of a whole server: how long they may take, how many there are, how they end."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app_world import DeployedApp, deploy_app, deploy_echo
from certificates import make_certificate
from demo_world import Demo, demo_on, running
from raw_line import Line

SLOW = """
import time


def slow(request, context):
    time.sleep(1.5)
    return {"statusCode": 200, "body": request.body}


def large(request, context):
    return {"statusCode": 200, "body": "x" * 4_000_000}
"""
ROUTES = [
    {
        "key": f"route-{key}",
        "path": f"/{key}",
        "operation": "POST",
        "function": key,
        "scopes": ["use:it:custom"],
    }
    for key in ("slow", "large")
]
FUNCTIONS = [{"key": key, "handler": f"index.{key}"} for key in ("slow", "large")]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    """An echo app on a server that waits for nobody."""
    short = {
        "SALLYPORT_HEAD_TIMEOUT_MS": "800",
        "SALLYPORT_BODY_TIMEOUT_MS": "1200",
        "SALLYPORT_IDLE_TIMEOUT_MS": "1500",
        "SALLYPORT_CONNECTIONS": "12",
    }
    with demo_on(tmp_path_factory.mktemp("impatient") / "data", **short) as made:
        yield deploy_echo(made)


def last(line: Line, status: int, reason: str) -> None:
    got, headers, body = line.reply()
    assert (got, headers["connection"], json.loads(body)["reason"]) == (status, "close", reason)
    assert line.rest() == b""


def test_half_a_head_is_408_however_slowly_it_grows(impatient: DeployedApp) -> None:
    begun = time.monotonic()
    with Line(impatient) as line:
        line.send(line.head("GET", "/open/1")[:-4])
        line.socket.settimeout(0.2)
        while time.monotonic() - begun < 10:
            try:
                line.send(b"x")
                if line.socket.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                continue
        line.socket.settimeout(5)
        last(line, 408, "request_too_slow")


def test_half_a_body_is_408(impatient: DeployedApp) -> None:
    with Line(impatient) as line:
        line.send(line.head("POST", "/open/1", "Content-Length: 10") + b"half")
        last(line, 408, "request_too_slow")


def test_a_connection_without_requests_is_closed_silently(impatient: DeployedApp) -> None:
    with Line(impatient) as line:
        line.send(line.head("GET", "/open/1"))
        assert line.reply()[0] == 200
        assert line.rest() == b""


def test_connections_beyond_the_limit_are_turned_away(impatient: DeployedApp) -> None:
    lines = [Line(impatient) for _ in range(12)]
    try:
        with Line(impatient) as one_more:
            last(one_more, 503, "connections_full")
    finally:
        for line in lines:
            line.socket.close()


def test_a_client_that_hangs_up_holds_no_worker(impatient: DeployedApp) -> None:
    for _ in range(6):
        with Line(impatient) as line:
            line.send(line.head("POST", "/open/1", "Content-Length: 10") + b"half")
        with Line(impatient) as line:
            line.send(line.head("GET", "/open/1"))
    assert impatient.call("GET", "/open/1").status_code == 200


def test_answers_wait_for_a_client_that_reads_slowly(demo: Demo) -> None:
    app = deploy_app(demo, ROUTES, FUNCTIONS, SLOW)
    with Line(app) as line:
        line.send(line.head("POST", "/large", "Content-Length: 0") * 4)
        time.sleep(0.5)
        assert [len(line.reply()[2]) for _ in range(4)] == [4_000_000] * 4


def test_what_runs_is_answered_when_the_server_stops(tmp_path: Path) -> None:
    flags = ("--json", "--port", "0", "--data", str(tmp_path / "data"))
    with running("demo", *flags) as command:
        demo = Demo(json.loads(command.line(r"^\{.*").string), tmp_path / "data")
        app = deploy_app(demo, ROUTES, FUNCTIONS, SLOW)
        app.call("POST", "/slow")
        with Line(app) as busy, Line(app) as idle:
            busy.send(busy.head("POST", "/slow", "Content-Length: 2") + b"ok")
            time.sleep(0.4)
            command.process.send_signal(signal.SIGTERM)
            assert idle.rest() == b""
            status, headers, body = busy.reply()
            assert (status, headers["connection"], body) == (200, "close", b"ok")
            assert busy.rest() == b""
        assert command.process.wait(30) == 0


def test_tls_with_certificate_files(tmp_path: Path) -> None:
    cert, key = map(str, make_certificate(tmp_path))
    flags = ("--port", "0", "--admin-port", "0", "--data", str(tmp_path / "data"))
    with running("up", *flags, "--tls-certificate", cert, "--tls-key", key) as command:
        url = command.line(r"listens on (https://localhost:\d+)")[1]
        answer = httpx.get(f"{url}/svc/jira/x", verify=ssl.create_default_context(cafile=cert))
        assert answer.status_code == 503
        assert answer.json()["reason"] == "not_set_up"
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"))


def test_calls_of_many_connections_at_once(echo: DeployedApp) -> None:
    seen: list[str] = []

    def work(number: int) -> None:
        with Line(echo) as line:
            for turn in range(10):
                line.send(line.head("GET", f"/open/{number}-{turn}"))
                seen.append(json.loads(line.reply()[2])["path"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"/open/{n}-{t}" for n in range(16) for t in range(10))
