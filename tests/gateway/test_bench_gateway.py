"""The benchmark of the gateway runs, in its short form, and writes what it found."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.gateway.chart import draw
from bench.gateway.envoy import envoy_config
from bench.load.paced import Stream, at_random, drive, evenly

from benching import bench, measured

MOST_MS = 300


@pytest.mark.skipif(shutil.which("wrk") is None, reason="scripts/ensure-program wrk installs it")
def test_the_short_benchmark_measures_calls_and_none_of_them_fails(tmp_path: Path) -> None:
    kinds = ("c32", "cold", "paced")
    found, page = measured("gateway", "--only", "python", "--kinds", ",".join(kinds), out=tmp_path)
    (ours,) = found["contenders"]
    assert ours["name"] == "Sallyport, Python worker"
    assert ours["pss_mb"] > 0
    assert ours["kinds"].keys() == set(kinds)
    for each in ours["kinds"].values():
        assert each["failed"] == 0
        assert each["requests"] > 0
        assert 0 < each["p50_ms"]["median"] <= each["p99_ms"]["median"]
    assert page.count("\n| Sallyport, Python worker |") == 1 + len(kinds)
    assert page.count("\n## ") == len(kinds)
    assert ElementTree.parse(tmp_path / "gateway.svg").getroot().tag.endswith("svg")


def test_a_contender_that_there_is_not_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = bench("gateway", "--only", "python,apache", out=tmp_path)
    assert done.returncode == 1
    assert "--only: there is no apache" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_chart_shows_every_bar_and_escapes_names() -> None:
    spread = {"median": 5.0, "min": 4.0, "max": 6.0}
    root = ElementTree.fromstring(draw("A & B", [("<one>", spread), ("two", spread)]))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "A & B"
    assert {"<one>", "two", "5"} <= set(texts)


def test_envoy_is_told_to_check_the_token_before_the_scope() -> None:
    config = json.loads(envoy_config(1, 2, '{"keys":[]}'))
    (listener,) = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    names = [each["name"].rpartition(".")[2] for each in manager["http_filters"]]
    assert names == ["jwt_authn", "rbac", "router"]


class _Stalling(BaseHTTPRequestHandler):
    """Answers at once, but for one time when every answer waits."""

    protocol_version = "HTTP/1.1"
    begins = threading.Lock()
    counted = 0

    def do_GET(self) -> None:
        with _Stalling.begins:
            _Stalling.counted += 1
            if _Stalling.counted == 100:
                threading.Event().wait(MOST_MS / 1000)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def stalling() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stalling)
    _Stalling.counted = 0
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_stall_is_charged_to_every_request_that_was_due_meanwhile(stalling: str) -> None:
    (found,) = drive([Stream(stalling, "t", evenly(100), 2)], seconds=1.5)
    assert found["failed"] == 0
    assert found["requests"] == pytest.approx(150, abs=2)
    assert found["p99_ms"] > MOST_MS / 2


def test_a_stream_beside_another_is_sent_and_told_apart(stalling: str) -> None:
    streams = [
        Stream(stalling, "t", evenly(20), 1),
        Stream(stalling, "t", at_random(100), 2),
    ]
    few, many = drive(streams, seconds=1.5)
    assert few["failed"] == many["failed"] == 0
    assert few["requests"] == pytest.approx(30, abs=2)
    assert 100 < many["requests"] < 200
