"""T-DPOP: a stolen token that is bound to a key opens nothing, over HTTP through a whole platform.

Planted bugs that these tests were seen to fail on: the proof's step left out; a bound token taken
as a bearer token; a bearer token taken with the scheme DPoP; proofs not remembered, or remembered
by their text; proofs from before the start taken; the signature not checked; the key not compared
with the token's; `ath` not asked for; the method not compared; the Host header taken for the
address; the first of two headers used; the second walk through the steps taken for a replay; the
challenge always Bearer; private members of the key ignored; a memory without a bound, or one that
forgets too early.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app_world import DeployedApp, claims_of
from demo_world import Demo, demo_on
from proving import Prover, encoded, provers
from sallyport.gateway.proofs import ProofMemory
from sallyport.tokens.proof import AGE, ALGORITHMS, Proof
from sallyport.vocab.errors import Reason, Refused

PATH = "/open/thing"
ONE = Prover()
ID = {"id": "1234"}


def bound_to(app: DeployedApp, prover: Prover) -> str:
    """A token of the app's integration, bound to the key."""
    url = f"{app.demo.facts['public_url']}/oauth/token"
    answer = httpx.post(
        url,
        data={
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": app.tokens["refresh_token"],
        },
        headers={"DPoP": prover.prove("POST", url)},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    app.tokens["refresh_token"] = answer.json()["refresh_token"]
    return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def offline(echo: DeployedApp) -> DeployedApp:
    """The echo app with tokens that can be refreshed."""
    scopes = "read:thing:custom write:thing:custom read:forge-app:jira offline_access"
    echo.tokens = {**echo.tokens, **echo.consent(scope=scopes)}
    return echo


@pytest.fixture(scope="module")
def token(offline: DeployedApp) -> str:
    return bound_to(offline, ONE)


Send = Callable[..., httpx.Response]


@pytest.fixture
def send(echo: DeployedApp, token: str) -> Send:
    """Send the bound token with whatever proofs."""

    def call(*proofs: str, scheme: str = "DPoP", raw: str = token, **more: Any) -> httpx.Response:
        headers = [("Authorization", f"{scheme} {raw}"), *(("DPoP", each) for each in proofs)]
        headers += more.pop("headers", [])
        method, url = more.pop("method", "GET"), more.pop("url", echo.base_url + PATH)
        return httpx.request(method, url, headers=headers, timeout=30, **more)

    return call


def proof(echo: DeployedApp, token: str, prover: Prover = ONE, **changes: Any) -> str:
    return prover.prove("GET", echo.base_url + PATH, token, **changes)


def refused(answer: httpx.Response, reason: str, error: str, scheme: str = "DPoP") -> None:
    assert (answer.status_code, answer.json()["reason"]) == (401, reason), answer.text
    assert answer.json()["gate"] == "token"
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith(f"{scheme} "), challenge
    assert f'error="{error}"' in challenge
    assert f'algs="{" ".join(ALGORITHMS)}"' in challenge
    assert "granted_scopes" not in answer.json()


def invalid(answer: httpx.Response) -> None:
    refused(answer, "dpop_proof_invalid", "invalid_dpop_proof")


def test_who_holds_the_key_gets_in(echo: DeployedApp, token: str, send: Send) -> None:
    for _ in range(3):
        answer = send(proof(echo, token))
        assert answer.status_code == 200, answer.text
    assert "dpop" not in answer.json()["headers"]
    assert "authorization" not in answer.json()["headers"]
    assert claims_of(token)["cnf"] == {"jkt": ONE.jkt}


@pytest.mark.parametrize("prover", provers(), ids=lambda each: each.alg)
def test_every_listed_algorithm_gets_in(offline: DeployedApp, send: Send, prover: Prover) -> None:
    raw = bound_to(offline, prover)
    assert send(proof(offline, raw, prover), raw=raw).status_code == 200


def test_a_stolen_token_without_the_key(echo: DeployedApp, token: str, send: Send) -> None:
    invalid(send())
    refused(send(scheme="Bearer"), "token_bound", "invalid_token", "Bearer")
    thief = Prover()
    refused(send(proof(echo, token, thief)), "token_bound", "invalid_token")
    invalid(send(proof(echo, token, thief, header={"jwk": ONE.jwk})))
    refused(
        send(proof(echo, token, thief), scheme="Bearer"), "token_bound", "invalid_token", "Bearer"
    )


def test_a_stolen_token_with_its_proof_as_bearer(echo: DeployedApp, token: str, send: Send) -> None:
    right = proof(echo, token)
    refused(send(right, scheme="Bearer"), "token_bound", "invalid_token", "Bearer")
    assert send(right).status_code == 200


def test_a_bearer_token_is_not_sent_as_bound(echo: DeployedApp, send: Send) -> None:
    bearer = echo.tokens["access_token"]
    refused(send(proof(echo, bearer), raw=bearer), "token_unbound", "invalid_token")
    refused(send(raw=bearer), "token_unbound", "invalid_token")
    assert send(raw=bearer, scheme="Bearer").status_code == 200
    assert send("nonsense", "twice", raw=bearer, scheme="Bearer").status_code == 200


def test_a_replayed_proof(echo: DeployedApp, token: str, send: Send) -> None:
    once = proof(echo, token)
    assert send(once).status_code == 200
    for _ in range(3):
        refused(send(once), "dpop_proof_replayed", "invalid_dpop_proof")
    same = proof(echo, token, jti="chosen")
    assert send(same).status_code == 200
    again = proof(echo, token, jti="chosen", other="claims")
    refused(send(again), "dpop_proof_replayed", "invalid_dpop_proof")


def test_of_many_at_once_one_gets_in(echo: DeployedApp, token: str, send: Send) -> None:
    for _ in range(5):
        once = proof(echo, token)
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _, once=once: send(once), range(10)))
        assert sorted(each.status_code for each in answers) == [200] + [401] * 9


def test_a_wrong_proof_spends_no_right_one(echo: DeployedApp, token: str, send: Send) -> None:
    right = proof(echo, token)
    head, body, signature = right.split(".")
    invalid(send(f"{head}.{body}.{encoded(b'0' * 64)}"))
    invalid(send(right, method="POST"))
    refused(
        send(Prover().prove("GET", echo.base_url + PATH, token, jti="common")),
        "token_bound",
        "invalid_token",
    )
    assert send(proof(echo, token, jti="common")).status_code == 200
    assert send(f"{head}.{body}.{signature}").status_code == 200


def test_a_proof_for_something_else(
    echo: DeployedApp, offline: DeployedApp, token: str, send: Send
) -> None:
    url = echo.base_url + PATH
    other = bound_to(offline, ONE)
    for wrong in (
        ONE.prove("POST", url, token),
        ONE.prove("get", url, token),
        ONE.prove("GET", url + "/more", token),
        ONE.prove("GET", url.replace("/svc/", "/x/"), token),
        ONE.prove("GET", url.replace("http://", "https://"), token),
        ONE.prove("GET", f"{echo.demo.facts['public_url']}/", token),
        ONE.prove("GET", url, other),
        ONE.prove("GET", url),
        ONE.prove("GET", url, token, ath=...),
        ONE.prove("GET", url, token, ath=hashlib.sha256(token.encode()).hexdigest()),
    ):
        invalid(send(wrong))


def test_the_address_is_the_configured_one(echo: DeployedApp, token: str, send: Send) -> None:
    """Not the Host header's, whose value is the caller's; and without the query."""
    there = "http://evil.test" + echo.base_path + PATH
    invalid(send(ONE.prove("GET", there, token), headers=[("Host", "evil.test")]))
    right = proof(echo, token)
    assert send(right, headers=[("Host", "evil.test")]).status_code == 200
    assert send(proof(echo, token), params={"a": "1"}).status_code == 200
    assert send(proof(echo, token, htu=f"{echo.base_url}{PATH}?b=2#c")).status_code == 200


def test_the_sites_own_address_is_configured_too(
    demo: Demo, echo: DeployedApp, token: str, send: Send
) -> None:
    path = f"/gateway/api/svc/jira/apps/{echo.app_id}_{echo.environment_id}{PATH}"
    there = [("Host", demo.site_host)]
    url = demo.facts["public_url"] + path
    right = ONE.prove("GET", demo.facts["site_url"] + path, token)
    assert send(right, url=url, headers=there).status_code == 200
    if demo.facts["site_url"] != demo.facts["public_url"]:
        invalid(send(ONE.prove("GET", url, token), url=url, headers=there))


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES512", "ES256K", ""])
def test_another_algorithm(echo: DeployedApp, token: str, send: Send, alg: str) -> None:
    head = encoded(json.dumps(ONE.header(alg=alg)).encode())
    body = encoded(json.dumps(ONE.claims("GET", echo.base_url + PATH, token)).encode())
    invalid(send(f"{head}.{body}."))
    public = ONE.key.as_pem(private=False)
    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    invalid(send(f"{head}.{body}.{encoded(mac)}"))


def test_a_private_key_in_the_proof(echo: DeployedApp, token: str, send: Send) -> None:
    invalid(send(proof(echo, token, header={"jwk": ONE.key.as_dict(private=True)})))
    invalid(send(proof(echo, token, header={"jwk": {"kty": "oct", "k": "AAAA"}})))


@pytest.mark.parametrize("seconds", [-3600, -75, 60, 86_400])
def test_an_old_or_future_proof(echo: DeployedApp, token: str, send: Send, seconds: int) -> None:
    invalid(send(proof(echo, token, iat=int(time.time()) + seconds)))


def test_two_proofs(echo: DeployedApp, token: str, send: Send) -> None:
    one, two = proof(echo, token), proof(echo, token)
    invalid(send(one, two))
    invalid(send(one, one))
    invalid(send(f"{one},{two}"))
    assert send(one).status_code == 200


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "." * 9, "e" * 9000, "\u00e9", "Bearer x"])
def test_nonsense(send: Send, value: str) -> None:
    answer = send(headers=[("DPoP", value.encode("latin-1"))])
    invalid(answer)


def test_a_cached_token_needs_a_proof_each_time(echo: DeployedApp, token: str, send: Send) -> None:
    """What the gateway keeps of a token says nothing of the next call."""
    for _ in range(3):
        assert send(proof(echo, token)).status_code == 200
        invalid(send())
        refused(send(proof(echo, token, Prover())), "token_bound", "invalid_token")


def test_the_first_call_after_a_change_of_facts_is_no_replay(
    echo: DeployedApp, token: str, send: Send
) -> None:
    """The steps run again when a fact is lacking; the proof is still of one call."""
    for _ in range(3):
        echo.turn(on=False)
        answer = send(proof(echo, token))
        assert (answer.status_code, answer.json()["reason"]) == (403, "rest_apis_off")
        echo.turn(on=True)
        assert send(proof(echo, token)).status_code == 200


def test_scopes_are_told_to_who_holds_the_key_alone(
    echo: DeployedApp, token: str, send: Send
) -> None:
    url = echo.base_url + "/guarded/secret"
    invalid(send(url=url))
    answer = send(ONE.prove("GET", url, token), url=url)
    assert (answer.status_code, answer.json()["reason"]) == (403, "scope_missing")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("DPoP ")
    assert 'error="insufficient_scope"' in challenge


def test_without_a_token_both_schemes_are_offered(echo: DeployedApp) -> None:
    answer = httpx.get(echo.base_url + PATH)
    assert answer.json()["reason"] == "token_missing"
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert "error=" not in challenge
    assert f'DPoP algs="{" ".join(ALGORITHMS)}"' in challenge


def test_a_proof_from_before_a_restart(tmp_path: Any) -> None:
    """A new process has no memory of what the one before it took."""
    folder = tmp_path / "data"
    with demo_on(folder) as demo:
        facts = demo.facts
        port = httpx.URL(facts["public_url"]).port
        made = httpx.post(
            f"{facts['public_url']}/oauth/token",
            data={
                "client_id": facts["client_id"],
                "client_secret": facts["client_secret"],
                "grant_type": "refresh_token",
                "refresh_token": facts["refresh_token"],
            },
            headers={"DPoP": ONE.prove("POST", f"{facts['public_url']}/oauth/token")},
        )
        token = made.json()["access_token"]
        url = facts["base_url"] + "/getEmployeeName"
        used = ONE.headers("GET", url, token)
        assert httpx.get(url, params=ID, headers=used, timeout=30).status_code == 200
        unused = ONE.headers("GET", url, token)
    with demo_on(folder, "--port", str(port)) as demo:
        assert demo.facts["base_url"] == facts["base_url"]
        for before in (used, unused):
            answer = httpx.get(url, params=ID, headers=before, timeout=30)
            assert answer.json()["reason"] == "dpop_proof_replayed"
        fresh = ONE.headers("GET", url, token)
        assert httpx.get(url, params=ID, headers=fresh, timeout=30).status_code == 200


def test_proofs_that_were_made_for_later(tmp_path: Any) -> None:
    """With nonces asked for, who had the key for an hour cannot have made proofs for the next."""
    with demo_on(tmp_path / "data", SALLYPORT_DPOP_NONCES="1") as demo:
        facts = demo.facts
        token_url, url = f"{facts['public_url']}/oauth/token", facts["base_url"]
        url += "/getEmployeeName"
        form = {
            "client_id": facts["client_id"],
            "client_secret": facts["client_secret"],
            "grant_type": "refresh_token",
            "refresh_token": facts["refresh_token"],
        }
        answer = httpx.post(token_url, data=form, headers={"DPoP": ONE.prove("POST", token_url)})
        assert answer.json()["error"] == "use_dpop_nonce"
        nonce = answer.headers["dpop-nonce"]
        headers = {"DPoP": ONE.prove("POST", token_url, nonce=nonce)}
        token = httpx.post(token_url, data=form, headers=headers).json()["access_token"]

        for made_before in (..., "x", "A" * 24):
            stored = ONE.headers("GET", url, token, nonce=made_before)
            answer = httpx.get(url, params=ID, headers=stored, timeout=30)
            refused(answer, "dpop_nonce_needed", "use_dpop_nonce")
        headers = ONE.headers("GET", url, token, nonce=answer.headers["dpop-nonce"])
        answer = httpx.get(url, params=ID, headers=headers, timeout=30)
        assert answer.status_code == 200
        assert answer.headers["dpop-nonce"]
        answer = httpx.get(url, params=ID, headers=headers, timeout=30)
        refused(answer, "dpop_proof_replayed", "invalid_dpop_proof")
        answer = demo.call("GET", "/getEmployeeName", params=ID)
        assert answer.status_code == 200
        assert "dpop-nonce" not in answer.headers


NOW = 1_800_000_000_000


def taken(memory: ProofMemory, name: int, made_at: int, now: int) -> Reason | None:
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    try:
        memory.take(Proof("k", digest, made_at, made_at + AGE), now)
    except Refused as refused:
        return refused.reason
    return None


def test_the_memory_is_bounded_and_refuses_what_it_cannot_hold() -> None:
    memory = ProofMemory(most=3)
    assert [taken(memory, each, NOW, NOW) for each in range(3)] == [None] * 3
    assert taken(memory, 3, NOW, NOW) is Reason.DPOP_PROOFS_FULL
    assert taken(memory, 0, NOW, NOW) is Reason.DPOP_PROOF_REPLAYED
    later = NOW + AGE + 10_000
    assert taken(memory, 3, later, later) is None
    assert len(memory) == 1


def test_a_proof_is_remembered_for_as_long_as_it_would_be_taken() -> None:
    memory = ProofMemory()
    ahead = NOW + 10_000
    assert taken(memory, 1, ahead, NOW) is None
    assert taken(memory, 1, ahead, ahead + AGE - 1) is Reason.DPOP_PROOF_REPLAYED
    assert taken(memory, 2, NOW, NOW + AGE) is None
    assert len(memory) == 2
