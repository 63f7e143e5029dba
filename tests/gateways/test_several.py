"""Two gateway processes on one port act as one platform does.

What one of them ends is in `test_ends.py`. Planted bugs that these tests were seen to fail on:
proofs remembered by each process alone; what was taken from quotas told to nobody; a retired key
told to no other process.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
from several_world import OFFLINE, PER_MINUTE, Several, bearer, call

from app_world import REDIRECT_URI, DeployedApp
from proving import Prover
from sallyport.app.shared import EVERY_S

PRESENTERS = 50
ROUNDS = 6


def test_both_serve_and_share_a_burst(several: Several, app: DeployedApp) -> None:
    clients = [httpx.Client(base_url=several.demo.facts["public_url"]) for _ in range(40)]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: call(client, app), clients))
    assert {each.status_code for each in answers} == {200}
    owners = Counter(several.owner_of(each) for each in answers)
    assert set(owners) == set(several.gateways)
    assert min(owners.values()) >= 10, owners
    for client in clients:
        client.close()


def test_each_process_is_counted_and_told_apart(
    several: Several, app: DeployedApp, both: list[httpx.Client]
) -> None:
    def allowed() -> float:
        lines = several.metrics().splitlines()
        name = 'sallyport_calls_total{gate="none",status="2xx"} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = allowed()
    for client in both:
        for _ in range(3):
            assert call(client, app).status_code == 200
    assert allowed() == before + 6
    text = several.metrics()
    for process in ("host", "gateway-1", "gateway-2"):
        assert f'sallyport_gateway_facts{{process="{process}"}}' in text
    assert several.ready().status_code == 200


def test_operators_see_every_process(several: Several) -> None:
    state = several.demo.operator.api("GET", "/operator/platform").json()
    assert [each["pid"] for each in state["processes"]] == [several.pid, *several.gateways]


def together(
    several: Several, send: Callable[[httpx.Client], httpx.Response]
) -> list[httpx.Response]:
    """Fifty connections, shared by both processes, send at the same moment."""
    at_once = Barrier(PRESENTERS)

    def one(_number: int) -> httpx.Response:
        with httpx.Client(base_url=several.demo.facts["public_url"], timeout=60) as client:
            owners.append(several.owner_of(client.get("/.well-known/jwks.json")))
            at_once.wait(60)
            return send(client)

    owners: list[int | None] = []
    with ThreadPoolExecutor(PRESENTERS) as pool:
        answers = list(pool.map(one, range(PRESENTERS)))
    assert set(owners) == set(several.gateways)
    return answers


def fields(app: DeployedApp, **grant: str) -> dict[str, str]:
    return {"client_id": app.client_id, "client_secret": app.client_secret, **grant}


def test_a_key_that_one_process_retires_opens_nothing_in_the_other(
    several: Several, app: DeployedApp, both: list[httpx.Client]
) -> None:
    one, other = both
    operator = several.demo.operator
    signed_in = (operator.email, operator.api_token)
    keys = "/api/v1/operator/keys"
    before = [each["kid"] for each in one.get(keys, auth=signed_in).json()["items"]]
    assert one.post(keys, auth=signed_in, json={"now": True}).is_success
    assert call(other, app).status_code == 200
    for kid in before:
        assert one.delete(f"{keys}/{kid}", auth=signed_in).is_success
    refused = call(other, app)
    app.tokens = app.consent(scope=OFFLINE)
    assert refused.status_code == 401, refused.text
    assert refused.json()["reason"] == "token_invalid"
    assert call(other, app).status_code == 200


def test_a_code_gives_tokens_once_whichever_processes_it_comes_to(
    several: Several, app: DeployedApp
) -> None:
    """T-CODE-RACE over two processes."""
    code = app.code(scope=OFFLINE)
    form = fields(app, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
    answers = together(several, lambda client: client.post("/oauth/token", data=form))
    assert sorted(each.status_code for each in answers) == [200] + [400] * (PRESENTERS - 1)
    assert {each.json()["error"] for each in answers if each.is_error} == {"invalid_grant"}


def test_a_refresh_token_has_one_successor_whichever_processes_it_comes_to(
    several: Several, app: DeployedApp
) -> None:
    """T-RT (a) over two processes."""
    token = app.consent(scope=OFFLINE)["refresh_token"]
    form = fields(app, grant_type="refresh_token", refresh_token=token)
    answers = together(several, lambda client: client.post("/oauth/token", data=form))
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["refresh_token"] for each in answers}) == 1


def test_a_proof_opens_one_call_whichever_processes_it_comes_to(
    several: Several, app: DeployedApp, both: list[httpx.Client]
) -> None:
    """T-DPOP over two processes, one after the other and at the same moment."""
    prover, url = Prover(), app.demo.facts["public_url"] + "/oauth/token"
    refresh = app.consent(scope=OFFLINE)["refresh_token"]
    form = fields(app, grant_type="refresh_token", refresh_token=refresh)
    bound = httpx.post(url, data=form, headers={"DPoP": prover.prove("POST", url)}).json()
    token = bound["access_token"]
    for turn in range(ROUNDS):
        one, other = both[turn % 2], both[(turn + 1) % 2]
        headers = prover.headers("GET", app.base_url + "/quick", token)
        path = app.base_path + "/quick"
        assert one.get(path, headers=headers).status_code == 200
        replayed = other.get(path, headers=headers)
        assert (replayed.status_code, replayed.json()["reason"]) == (401, "dpop_proof_replayed")
    headers = prover.headers("GET", app.base_url + "/quick", token)
    answers = together(several, lambda client: client.get(path, headers=headers))
    assert sorted(each.status_code for each in answers) == [200] + [401] * (PRESENTERS - 1)


def test_a_key_runs_its_request_once_whichever_processes_it_comes_to(
    several: Several, app: DeployedApp
) -> None:
    """T-IDEM over two processes."""
    label = uuid.uuid4().hex
    headers = {**bearer(app), "Idempotency-Key": label}
    answers = together(
        several,
        lambda client: client.post(f"{app.base_path}/run/{label}", headers=headers, content=b"0.3"),
    )
    assert {each.status_code for each in answers} <= {200, 409}
    done = {each.text for each in answers if each.status_code == 200}
    assert len(done) == 1
    later = app.call("POST", f"/run/{label}", headers=headers, content=b"0.3")
    assert (later.status_code, {later.text}) == (200, done)
    assert app.call("GET", f"/runs/{label}").text == "1"


def test_a_quota_is_spent_in_all_processes(app: DeployedApp, both: list[httpx.Client]) -> None:
    """T-RATE over two processes: what one lets through counts in the other a moment later.

    What both let through at the same moment is owed: tests/unit/test_shared_buckets.py.
    """
    one, other = both
    began = time.monotonic()
    for _ in range(PER_MINUTE // 2):
        assert call(one, app, "/few").status_code == 200
    time.sleep(4 * EVERY_S)
    let_in = PER_MINUTE // 2
    while (answer := call(other, app, "/few")).status_code == 200:
        let_in += 1
    assert (answer.status_code, answer.json()["limit"]) == (429, "route")
    # One comes back every two seconds.
    assert PER_MINUTE <= let_in <= PER_MINUTE + 1 + (time.monotonic() - began) / 2
    time.sleep(4 * EVERY_S)
    while call(one, app, "/few").status_code == 200:
        let_in += 1
    assert let_in <= PER_MINUTE + 1 + (time.monotonic() - began) / 2


def test_sign_in_attempts_count_in_all_processes(
    several: Several, both: list[httpx.Client]
) -> None:
    email = f"{uuid.uuid4().hex}@nobody.example"
    wrong = {"email": email, "password": "not the password", "label": "x"}
    answers = [both[turn % 2].post("/api/v1/login", json=wrong).status_code for turn in range(12)]
    assert answers[:9] == [401] * 9
    assert answers[-1] == 429
