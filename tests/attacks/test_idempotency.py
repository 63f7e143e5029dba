"""T-IDEM: a key runs its request once, whoever repeats it; nobody gets another's answer by it.

Planted bugs that these tests were seen to fail on: leaving the account, the integration, the route
or the installation out of a key's digest; leaving body, path or query out of the fingerprint;
looking a key up before the scopes; claiming in memory alone; running again what was interrupted;
keeping what never ran.
"""

from __future__ import annotations

import json
import signal
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, deploy_app
from demo_world import Demo, Running, demo_on, running
from two_sites import TwoSites, two_sites

SOURCE = """
import os
import time

from sallyport_app import kvs


def run(request, context):
    label = request.path_parameters["label"]
    kvs.set(f"run:{label}:{context['invocationId']}", request.body)
    if request.body == "wait":
        while not kvs.get(f"go:{label}"):
            time.sleep(0.01)
    if request.body == "raise":
        raise RuntimeError("no")
    if request.body == "die":
        os._exit(3)
    headers = {"x-run": context["invocationId"], "content-type": "text/plain"}
    body = "large" * 300_000 if request.body == "large" else "did " + request.body
    return {"statusCode": 201, "headers": headers, "body": body}


def go(request, context):
    kvs.set("go:" + request.path_parameters["label"], True)
    return {"statusCode": 204}


def runs(request, context):
    prefix = "run:" + request.path_parameters["label"] + ":"
    return {"statusCode": 200, "body": str(len(list(kvs.all(prefix=prefix))))}
"""
WRITE, READ, PRODUCT = "write:it:custom", "read:it:custom", "read:forge-app:jira"


def route(key: str, operation: str, path: str, function: str, scope: str) -> dict[str, Any]:
    place = {"key": key, "operation": operation, "path": path}
    return {**place, "function": function, "scopes": [scope]}


ROUTES = [
    *(route(f"do-{verb}", verb.upper(), "/do/{label}", "run", WRITE) for verb in ("post", "put")),
    *(route(f"do-{v}", v.upper(), "/do/{label}", "run", WRITE) for v in ("patch", "delete")),
    route("get", "GET", "/do/{label}", "run", READ),
    route("other", "POST", "/other/{label}", "run", WRITE),
    route("let-go", "PUT", "/go/{label}", "go", WRITE),
    route("count", "GET", "/runs/{label}", "runs", READ),
]
FUNCTIONS = [{"key": name, "handler": f"index.{name}"} for name in ("run", "go", "runs")]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with demo_on(tmp_path_factory.mktemp("idem") / "data", SALLYPORT_IDEMPOTENCY_MB="1") as demo:
        yield two_sites(demo, ROUTES, FUNCTIONS, SOURCE)


@pytest.fixture
def app(two: TwoSites) -> DeployedApp:
    return two.app


@pytest.fixture
def label() -> str:
    return uuid.uuid4().hex


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": f'"{text}"'}


def do(app: DeployedApp, label: str, body: str = "it", **request: Any) -> httpx.Response:
    method, path = request.pop("method", "POST"), request.pop("path", f"/do/{label}")
    request.setdefault("headers", key(label))
    return app.call(method, path, content=body, **request)


def runs(app: DeployedApp, label: str) -> int:
    answer = app.call("GET", f"/runs/{label}")
    assert answer.status_code == 200, answer.text
    return int(answer.text)


def refused(answer: httpx.Response, status: int, reason: str, gate: str = "idempotency") -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["reason"], body["gate"]) == (reason, gate)
    assert body["fix"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_same_request_gets_the_first_answer_and_runs_once(
    app: DeployedApp, label: str, method: str
) -> None:
    first = do(app, label, method=method)
    again = do(app, label, method=method)
    assert (first.status_code, first.text) == (201, "did it")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["x-run"] == first.headers["x-run"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    # Each answer is of its own call, and a replay is no invocation.
    assert again.headers["atl-request-id"] != first.headers["atl-request-id"]
    assert again.headers["atl-traceid"] != first.headers["atl-traceid"]
    assert runs(app, label) == 1
    without = do(app, label, method=method, headers={})
    assert without.headers["x-run"] != first.headers["x-run"]
    assert runs(app, label) == 2


def test_a_key_without_quotes_is_the_same_key(app: DeployedApp, label: str) -> None:
    do(app, label)
    again = do(app, label, headers={"Idempotency-Key": label})
    assert again.headers["idempotency-replayed"] == "true"


def test_reading_takes_no_key(app: DeployedApp, label: str) -> None:
    answers = [do(app, label, method="GET") for _ in range(2)]
    assert answers[0].headers["x-run"] != answers[1].headers["x-run"]


@pytest.mark.parametrize(
    "value", ["", '""', '"open', 'a"b', '"é"', "a b", '"a", "b"', "x" * 256, '"a";b=1']
)
def test_what_is_no_key(app: DeployedApp, label: str, value: str) -> None:
    answer = do(app, label, headers={"Idempotency-Key": value.encode("latin-1")})
    refused(answer, 400, "idempotency_key_invalid")
    assert runs(app, label) == 0


def test_two_keys_are_none(app: DeployedApp, label: str) -> None:
    bearer = ("Authorization", f"Bearer {app.tokens['access_token']}")
    headers = [bearer, ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    answer = httpx.post(f"{app.base_url}/do/{label}", headers=headers)
    refused(answer, 400, "idempotency_key_invalid")


def test_another_request_with_the_key_is_refused(app: DeployedApp, label: str) -> None:
    do(app, label)
    text = {**key(label), "Content-Type": "text/plain"}
    for other in (
        do(app, label, "other"),
        do(app, label, path=f"/do/{label}x"),
        do(app, label, path=f"/do/{label}?query=1"),
        do(app, label, headers=text),
    ):
        refused(other, 422, "idempotency_key_reused")
    assert runs(app, label) == 1
    assert runs(app, f"{label}x") == 0
    assert do(app, label).headers["idempotency-replayed"] == "true"


def test_the_key_of_a_running_call_is_refused_until_its_answer(
    app: DeployedApp, label: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(do, app, label, "wait")
        while runs(app, label) == 0:
            pass
        running = do(app, label, "wait")
        refused(running, 409, "idempotency_running")
        assert running.headers["retry-after"] == "1"
        refused(do(app, label, "other"), 422, "idempotency_key_reused")
        assert app.call("PUT", f"/go/{label}").status_code == 204
        answer = first.result(30)
    assert do(app, label, "wait").headers["x-run"] == answer.headers["x-run"]
    assert runs(app, label) == 1


def test_many_at_once_run_once(app: DeployedApp, label: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(10):
            name = f"{label}-{n}"
            answers = list(pool.map(lambda _, name=name: do(app, name), range(8)))
            good = [answer for answer in answers if answer.status_code == 201]
            assert len({answer.headers["x-run"] for answer in good}) == 1
            for answer in answers:
                if answer.status_code != 201:
                    refused(answer, 409, "idempotency_running")
            assert runs(app, name) == 1


def test_nobody_meets_anothers_key(two: TwoSites, label: str) -> None:
    app = two.app
    first = do(app, label)
    mine = {first.headers["x-run"]}
    other_account = app.consent("admin")["access_token"]
    answers = [
        do(app, label, token=other_account),
        two.demo.call(
            "POST",
            f"/do/{label}",
            base=two.there,
            token=two.token,
            content="it",
            headers=key(label),
        ),
        do(app, label, path=f"/other/{label}"),
        do(app, label, method="PUT"),
        do(other_integration(app), label),
    ]
    for answer in answers:
        assert answer.status_code == 201, answer.text
        assert "idempotency-replayed" not in answer.headers
        assert answer.headers["x-run"] not in mine
        mine.add(answer.headers["x-run"])
    # All but the one on the other site, which keeps its own count.
    assert runs(app, label) == len(answers)


def test_one_account_has_other_keys_on_another_site(two: TwoSites, label: str) -> None:
    here = two.app.consent("developer")["access_token"]
    there = two.app.consent("developer", site_id=two.site_id)["access_token"]
    first = do(two.app, label, token=here)
    path, sent = f"/do/{label}", {"content": "it", "headers": key(label)}
    second = two.demo.call("POST", path, base=two.there, token=there, **sent)
    assert second.status_code == 201, second.text
    assert "idempotency-replayed" not in second.headers
    assert second.headers["x-run"] != first.headers["x-run"]


def other_integration(app: DeployedApp) -> DeployedApp:
    """The same app and account by another integration."""
    made = app.demo.person("developer").api(
        "POST",
        "/integrations",
        json={
            "name": "Other client",
            "redirect_uris": ["http://localhost:9876/callback"],
            "forge_compatible": True,
            "link": {
                "site": app.demo.facts["cloud_id"],
                "app_id": app.app_id,
                "environment": "development",
                "scopes": [READ, WRITE],
                "product_scopes": [PRODUCT],
            },
        },
    )
    assert made.is_success, made.text
    body = made.json()
    other = DeployedApp(
        app.demo,
        app.app_id,
        app.environment_id,
        app.installation_id,
        body["client_id"],
        body["client_secret"],
        body["links"][0]["authorization_url"],
    )
    other.tokens = other.consent()
    return other


def test_an_answer_is_given_again_only_to_whom_it_would_be_given_now(
    two: TwoSites, label: str
) -> None:
    app = two.app
    first = do(app, label)
    narrow = app.consent(scope=f"{READ} {PRODUCT}")["access_token"]
    refused(do(app, label, token=narrow), 403, "scope_missing", "scopes")
    refused(do(app, label, token="none"), 401, "token_invalid", "token")
    app.turn(on=False)
    refused(do(app, label), 403, "rest_apis_off", "switch")
    app.turn(on=True)
    assert do(app, label).headers["x-run"] == first.headers["x-run"]
    link = {
        "site": app.demo.facts["cloud_id"],
        "app_id": app.app_id,
        "environment": "development",
        "product_scopes": [PRODUCT],
    }
    developer = app.demo.person("developer")
    for scopes, status in (([READ], 403), ([READ, WRITE], 201)):
        changed = developer.api(
            "PUT", f"/integrations/{app.client_id}/links", json={**link, "scopes": scopes}
        )
        assert changed.is_success, changed.text
        assert do(app, label).status_code == status
    assert runs(app, label) == 1


@pytest.mark.parametrize(
    ("body", "reason"), [("raise", "invocation_failed"), ("die", "invocation_worker_lost")]
)
def test_a_run_that_failed_is_not_run_again(
    app: DeployedApp, label: str, body: str, reason: str
) -> None:
    for _ in range(2):
        answer = do(app, label, body)
        refused(answer, 500, reason, "function")
    assert answer.headers["idempotency-replayed"] == "true"
    assert runs(app, label) == 1


def test_an_answer_that_is_too_large_to_keep_is_not_made_again(
    app: DeployedApp, label: str
) -> None:
    assert do(app, label, "large").status_code == 201
    answer = do(app, label, "large")
    refused(answer, 409, "idempotency_unkept")
    assert answer.json()["answered_status"] == 201
    assert runs(app, label) == 1


def test_records_tell_a_replay_from_a_run(app: DeployedApp, label: str) -> None:
    answers = [do(app, label) for _ in range(2)]
    admin = app.demo.person("admin")
    found = []
    for answer in answers:
        while (
            got := admin.api("GET", f"/decisions/{answer.headers['atl-request-id']}")
        ).status_code == 404:
            pass
        found.append(got.json()["invocation_id"])
    assert found[0] is not None
    assert found[1] is None


def test_keys_are_bounded(tmp_path: Path, label: str) -> None:
    with demo_on(tmp_path / "data", SALLYPORT_IDEMPOTENCY_KEYS="2") as demo:
        app = deploy_app(demo, ROUTES, FUNCTIONS, SOURCE)
        for n in range(2):
            assert do(app, f"{label}-{n}").status_code == 201
        full = do(app, label)
        refused(full, 429, "idempotency_full")
        assert int(full.headers["retry-after"]) > 0
        assert runs(app, label) == 0
        assert do(app, f"{label}-0").headers["idempotency-replayed"] == "true"
        assert do(app, label, headers={}).status_code == 201


@contextmanager
def platform_on(folder: Path, port: int) -> Iterator[tuple[Running, Demo]]:
    flags = ("--json", "--port", str(port), "--data", str(folder))
    with running("demo", *flags) as command:
        yield command, Demo(json.loads(command.line(r"^\{.*").string), folder)


def kill(command: Running) -> None:
    command.process.send_signal(signal.SIGKILL)
    command.process.wait(10)


def test_keys_survive_kill_9(tmp_path: Path, label: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with platform_on(tmp_path, port) as (command, demo):
        app = deploy_app(demo, ROUTES, FUNCTIONS, SOURCE)
        answered = do(app, label)
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(do, app, f"{label}-lost", "wait")
            while runs(app, f"{label}-lost") == 0:
                pass
            kill(command)
            with pytest.raises(httpx.TransportError):
                lost.result(30)
    with platform_on(tmp_path, port) as (command, demo):
        app.demo = demo
        again = do(app, label)
        assert again.headers["x-run"] == answered.headers["x-run"]
        assert again.content == answered.content
        for _ in range(2):
            refused(do(app, f"{label}-lost", "wait"), 409, "idempotency_interrupted")
        assert runs(app, f"{label}-lost") == 1
        assert runs(app, label) == 1


def test_an_answer_that_was_given_is_given_after_a_kill(tmp_path: Path, label: str) -> None:
    """Killed at the moment that the answer comes in, again and again: it was durable by then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given: dict[str, str] = {}
    app: DeployedApp | None = None
    for n in range(4):
        with platform_on(tmp_path, port) as (command, demo):
            if app is None:
                app = deploy_app(demo, ROUTES, FUNCTIONS, SOURCE)
            app.demo = demo
            for name, run in given.items():
                assert do(app, name).headers["x-run"] == run
            for m in range(5):
                name = f"{label}-{n}-{m}"
                given[name] = do(app, name).headers["x-run"]
            kill(command)
