"""What people see of calls: logs, decisions, consents. On the demo, with its token."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cli_world import PROGRAM, Terminal, fresh_terminal


@dataclass(frozen=True)
class Demo:
    """The demo as its one line of JSON tells it, and each of its people at a terminal."""

    told: dict[str, Any]
    people: dict[str, Terminal]

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(
            method,
            self.told["base_url"] + path,
            headers={"authorization": f"Bearer {self.told['access_token']}"},
            trust_env=False,
            timeout=30,
            **options,
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (root / "demo.log").open("wb") as log:
        started = subprocess.Popen(
            [PROGRAM, "demo", "--port", str(port), "--data", "data", "--json"],
            cwd=root,
            env={"PATH": os.environ["PATH"], "HOME": str(root)},
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert started.stdout is not None
    try:
        line = started.stdout.readline()
        assert line, (root / "demo.log").read_text()
        told = json.loads(line)
        yield Demo(
            told,
            {
                role: fresh_terminal(
                    root / role,
                    SALLYPORT_URL=told["public_url"],
                    SALLYPORT_EMAIL=account["email"],
                    SALLYPORT_API_TOKEN=account["api_token"],
                )
                for role, account in told["accounts"].items()
            },
        )
    finally:
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=30)


def eventually(ask: Callable[[], Any]) -> Any:
    """What `ask` answers once it answers something: records are written in batches."""
    deadline = time.monotonic() + 20
    while not (found := ask()):
        assert time.monotonic() < deadline
    return found


def decisions(demo: Demo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = demo.people["admin"].json(
        "admin", "decisions", "-s", demo.told["cloud_id"]
    )
    return found


def test_why_a_call_was_allowed(demo: Demo) -> None:
    answer = demo.call("GET", "/getEmployeeName?id=1234")
    assert answer.status_code == 200, answer.text
    [found] = eventually(
        lambda: [each for each in decisions(demo) if each["path"].endswith("/getEmployeeName")]
    )
    lines = demo.people["member"].out("why", found["decision_id"]).splitlines()
    assert lines[0] == (
        "✓ path  ✓ site  ✓ route  ✓ token  ✓ switch  ✓ grant  ✓ scopes  ✓ limits"
        "  ✓ idempotency  ✓ function"
    )
    assert lines[3].split("  ")[0] == "Allowed"
    assert "answered 200" in lines[3]
    demo.people["outsider"].refusal("why", found["decision_id"])


def test_a_refused_call_names_its_fix(demo: Demo) -> None:
    refused = demo.call("GET", "/nowhere").json()
    admin = demo.people["admin"]
    done = eventually(lambda: explained(admin, refused["decision_id"]))
    assert "✗ route" in done
    assert re.search(rf"^Fix  +{re.escape(refused['fix'])}$", done, re.MULTILINE)


def explained(person: Terminal, decision: str) -> str:
    try:
        return person.out("why", decision)
    except AssertionError:
        return ""


def test_logs_are_found_by_trace_and_invocation(demo: Demo) -> None:
    developer, app = demo.people["developer"], demo.told["app_id"]
    manifest = "app:\n  id: ari:cloud:ecosystem::app/" + app + "\n"
    (developer.folder / "manifest.yml").write_text(manifest)
    answer = demo.call(
        "POST", "/editEmployeeName", json={"id": "1234", "name": "Grace\u202eHopper"}
    )
    assert answer.status_code == 200, answer.text
    trace = answer.headers["atl-traceid"]
    lines = eventually(lambda: developer.json("logs", "--trace", trace))
    assert {each["trace_id"] for each in lines} == {trace}
    invocation = lines[0]["invocation_id"]
    assert developer.json("logs", "-i", invocation) == lines
    shown = developer.out("logs", "-s", "1h", "-n", "50")
    assert re.search(rf"^(INFO |WARN ) +\d{{4}}-\S+Z  {invocation}  ", shown, re.MULTILINE)
    assert "\u202e" not in shown
    grouped = developer.out("logs", "--grouped")
    assert f"invocation {invocation}  " in grouped
    demo.people["outsider"].refusal("logs", "--app", app)


def test_a_consent_is_seen_and_ended(demo: Demo) -> None:
    member, admin, site = demo.people["member"], demo.people["admin"], demo.told["cloud_id"]
    [grant] = member.json("grants", "list")
    assert grant["integration_name"] in member.out("grants", "list")
    account = demo.told["accounts"]["member"]["email"]
    assert account in admin.out("admin", "grants", "-s", site)
    member.refusal("admin", "grants", "list", "-s", site, exit_code=4)
    out = member.out("grants", "revoke", grant["grant_id"])
    assert out == f"✔ Ended the consent {grant['grant_id']}\n"
    assert demo.call("GET", "/getEmployeeName?id=1234").json()["reason"] == "grant_revoked"
    assert member.json("grants", "list") == []
    member.refusal("grants", "revoke", "nothing")
