"""`sallyport demo`: what `make run` starts, as a newcomer or a script meets it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_world import SALLYPORT, Demo, demo_on, running

MEMBERS = {
    "public_url",
    "site_url",
    "cloud_id",
    "product",
    "app_id",
    "environment_id",
    "base_url",
    "client_id",
    "client_secret",
    "redirect_uri",
    "access_token",
    "refresh_token",
    "accounts",
}


def test_its_json_has_exactly_the_documented_members(demo: Demo) -> None:
    facts = demo.facts
    assert set(facts) == MEMBERS
    assert set(facts["accounts"]) == {"developer", "admin", "member", "outsider"}
    for account in facts["accounts"].values():
        assert set(account) == {"email", "password", "account_id", "api_token"}
    assert facts["redirect_uri"] == "http://localhost:9876/callback"
    assert facts["base_url"].startswith(facts["public_url"] + "/svc/jira/" + facts["cloud_id"])


def test_both_url_forms_reach_the_app(demo: Demo) -> None:
    facts = demo.facts
    first = demo.call("GET", "/getEmployeeName?id=1234")
    tail = f"/gateway/api/svc/jira/apps/{facts['app_id']}_{facts['environment_id']}"
    second = demo.call("GET", "/getEmployeeName?id=1234", base=facts["site_url"] + tail)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.headers["content-type"] == "application/json"
    assert len(first.headers["atl-traceid"]) == 32


def test_the_site_tells_its_cloud_id_and_no_other_host_does(demo: Demo) -> None:
    answer = httpx.get(demo.facts["site_url"] + "/_edge/tenant_info")
    assert answer.json() == {"cloudId": demo.facts["cloud_id"]}
    other = httpx.get(
        demo.facts["public_url"] + "/_edge/tenant_info", headers={"Host": "elsewhere.example"}
    )
    assert other.status_code == 404
    assert other.json()["reason"] == "site_unknown"


def test_the_example_app_does_what_its_documentation_says(demo: Demo) -> None:
    changed = demo.call("POST", "/editEmployeeName", json={"id": "1234", "name": "Grace Hopper"})
    assert changed.status_code == 200, changed.text
    assert "Grace Hopper" in demo.call("GET", "/getEmployeeName?id=1234").text
    assert demo.call("GET", "/employees/1234").json()["name"] == "Grace Hopper"
    assert demo.call("GET", "/employees/nobody").status_code == 404
    assert demo.call("GET", "/employees/department/engineering").status_code == 200
    broken = demo.call(
        "POST",
        "/editEmployeeName",
        content="{",
        headers={"Content-Type": "application/json"},
    )
    assert broken.status_code == 400
    assert "gate" not in broken.json()


def test_once_makes_one_call_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [SALLYPORT, "demo", "--once", "--json", "--port", "0", "--data", str(tmp_path / "d")],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    facts, answer = done.stdout.splitlines()
    assert set(json.loads(facts)) == MEMBERS
    assert json.loads(answer)


def test_make_run_passes_flags_on(tmp_path: Path) -> None:
    flags = f"--once --json --port 0 --data {tmp_path / 'd'}"
    done = subprocess.run(
        ["make", "--no-print-directory", "run", f"ARGS={flags}"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    facts, answer = done.stdout.splitlines()[-2:]
    assert set(json.loads(facts)) == MEMBERS
    assert json.loads(answer) == {"id": "1234", "name": "Ada Lovelace"}


def test_a_second_start_goes_on_with_the_same_platform(tmp_path: Path) -> None:
    stable = ("cloud_id", "app_id", "environment_id", "client_id", "client_secret", "accounts")
    with demo_on(tmp_path / "d") as first:
        first.call("POST", "/editEmployeeName", json={"id": "1234", "name": "Kept"})
    with demo_on(tmp_path / "d") as second:
        assert {k: first.facts[k] for k in stable} == {k: second.facts[k] for k in stable}
        assert "Kept" in second.call("GET", "/getEmployeeName?id=1234").text
        assert second.facts["refresh_token"] != first.facts["refresh_token"]


def test_a_taken_port_gets_a_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [SALLYPORT, "demo", "--port", str(port), "--data", str(tmp_path / "d")],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_in_use_gets_a_clear_message(demo: Demo) -> None:
    done = subprocess.run(
        [SALLYPORT, "demo", "--port", "0", "--data", str(demo.folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Another Sallyport runs on" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with demo_on(tmp_path / "d") as made:
        assert made.call("GET", "/getEmployeeName?id=1234").status_code == 200
        command = _process_of(tmp_path / "d")
        children = _children(command)
        assert children
        os.kill(command, number)
    assert [child for child in children if _runs(child)] == []


def test_the_screen_for_a_person_says_what_to_open_and_a_curl_that_answers(tmp_path: Path) -> None:
    with running("demo", "--port", "0", "--data", str(tmp_path / "d"), NO_COLOR="1") as command:
        curl = ""
        lines: list[str] = []
        while "Ctrl+C" not in (lines[-1] if lines else ""):
            lines.append(command.line("").string)
        screen = "\n".join(lines)
        for words in ("✓ Get consent and a token", "/console", "/admin", "admin@acme.example"):
            assert words in screen
        start = next(n for n, line in enumerate(lines) if "curl" in line)
        curl = "\n".join(lines[start : start + 2])
        answer: Any = json.loads(
            subprocess.run(curl, shell=True, capture_output=True, check=True, timeout=30).stdout
        )
        assert answer


def _runs(process: int) -> bool:
    """Whether it runs; one that ended and that nobody waited for does not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _process_of(folder: Path) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"demo" in arguments and str(folder).encode() in arguments:
                return int(entry.name)
    raise AssertionError("the demo does not run")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found
