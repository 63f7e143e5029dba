"""RFC 9449, DPoP: tokens that are good only with proof of a key, at the authorization server.

What its section 4.3 lists is tested one by one in tests/unit/test_proof.py, and the gateway over
HTTP in tests/attacks/test_dpop.py.

Planted bugs that these tests were seen to fail on: the proof not remembered, or remembered under
its text; any address in `htu`; the Host header for the address; tokens without `cnf`; `token_type`
always Bearer; the key of a code not compared, or only where a proof came; a refresh token of a
public client not bound, or bound and not compared; the key compared after the reuse; a bound token
taken as a bearer token, and a bearer token with the scheme DPoP; the key of the proof not compared
with the token's; `require_dpop` looked at for codes alone, or for people alone; `cnf` not told on
introspection; `dpop_jkt` dropped, or taken whatever it is; DPoP not offered in the challenge;
the nonce not looked at, good for ever, or not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from access_world import CALLBACK, READ
from app_world import claims_of
from oauth_world import Server, authorization_server, on_page, pkce, redirected
from proving import Prover
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store.integrations import change_integration
from sallyport.store.service_accounts import create_service_account
from sallyport.tokens.nonce import Nonces
from sallyport.tokens.proof import AGE, ALGORITHMS
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND

Answer = httpx.Response
NOBODY = Actor(account_id=None, name="a test")


def prover_of(server: Server) -> Prover:
    return Prover(now=server.clock.now() / SECOND)


def exchange(server: Server, prover: Prover | None, *proofs: str, **form: str | None) -> Answer:
    """POST /oauth/token with a proof by `prover`, or with these."""
    url = f"{server.url}/oauth/token"
    if prover is not None:
        prover.now = server.clock.now() / SECOND
        proofs = (prover.prove("POST", url),)
    fields = {"client_id": server.world.client_id, "client_secret": server.world.secret, **form}
    return httpx.post(
        url,
        data={name: value for name, value in fields.items() if value is not None},
        headers=[("DPoP", each) for each in proofs],
        timeout=30,
    )


def redeem(server: Server, prover: Prover | None, code: str, **form: str | None) -> Answer:
    wanted = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **form}
    return exchange(server, prover, **wanted)


def refresh(server: Server, prover: Prover | None, token: str, **form: str | None) -> Answer:
    return exchange(server, prover, grant_type="refresh_token", refresh_token=token, **form)


def bound(server: Server, prover: Prover) -> dict[str, Any]:
    """Tokens of the confidential client, bound to the key."""
    answer = redeem(server, prover, server.code())
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def of_public(server: Server, prover: Prover | None) -> tuple[str, dict[str, Any]]:
    """A public client and its tokens, with a proof where there is a prover."""
    client_id = server.integration(ClientKind.PUBLIC)
    verifier, challenge = pkce()
    pkce_fields = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = server.code(client_id=client_id, **pkce_fields)
    form = {"client_id": client_id, "client_secret": None, "code_verifier": verifier}
    answer = redeem(server, prover, code, **form)
    assert answer.status_code == 200, answer.text
    return client_id, answer.json()


def resources(server: Server, scheme: str, token: str, *proofs: str) -> Answer:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", each) for each in proofs)]
    return httpx.get(f"{server.url}/oauth/token/accessible-resources", headers=headers)


def refused(answer: Answer, error: str, says: str = "") -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert says in answer.json()["error_description"]
    assert answer.headers["cache-control"] == "no-store"


def test_section_5_a_proof_makes_the_token_bound(server: Server) -> None:
    """Section 5: `token_type` is DPoP; section 6.1: the token carries `cnf` with `jkt`."""
    prover = prover_of(server)
    tokens = bound(server, prover)
    assert tokens["token_type"] == "DPoP"
    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": prover.jkt}


def test_section_5_without_a_proof_it_is_a_bearer_token(server: Server) -> None:
    """Section 5: a request without a proof is as it was before."""
    tokens = server.tokens()
    assert tokens["token_type"] == "Bearer"
    assert "cnf" not in claims_of(tokens["access_token"])


def test_section_5_an_invalid_proof_is_told_and_costs_nothing(server: Server) -> None:
    """Section 5: `invalid_dpop_proof`; the code can still be used."""
    prover, code = prover_of(server), server.code()
    url = f"{server.url}/oauth/token"
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    for proof in (
        "",
        "nonsense",
        prover.prove("GET", url),
        prover.prove("POST", f"{server.url}/oauth/revoke"),
        prover.prove("POST", url, header={"typ": "JWT"}),
        prover.prove("POST", url, header={"jwk": prover.key.as_dict(private=True)}),
        prover.prove("POST", url, header={"jwk": prover_of(server).jwk}),
        prover.prove("POST", url, iat=server.clock.now() // SECOND - 3600),
        prover.prove("POST", url, iat=server.clock.now() // SECOND + 3600),
    ):
        refused(exchange(server, None, proof, **form), "invalid_dpop_proof")
    assert redeem(server, prover, code).status_code == 200


def test_section_4_3_there_is_one_dpop_header(server: Server) -> None:
    """Section 4.3 item 1: not more than one DPoP header field."""
    prover = prover_of(server)
    proofs = [prover.prove("POST", f"{server.url}/oauth/token") for _ in range(2)]
    form = {"grant_type": "authorization_code", "code": server.code(), "redirect_uri": CALLBACK}
    refused(exchange(server, None, *proofs, **form), "invalid_dpop_proof", "more than one")
    refused(exchange(server, None, ", ".join(proofs), **form), "invalid_dpop_proof")


def test_section_4_3_htu_is_the_configured_address(server: Server) -> None:
    """Section 4.3 item 9: the address of the server, whatever the Host header says."""
    prover = prover_of(server)
    form = {
        "client_id": server.world.client_id,
        "client_secret": server.world.secret,
        "grant_type": "authorization_code",
        "code": server.code(),
        "redirect_uri": CALLBACK,
    }
    proof = prover.prove("POST", "http://evil.test/oauth/token")
    answer = httpx.post(
        f"{server.url}/oauth/token", data=form, headers={"DPoP": proof, "Host": "evil.test"}
    )
    refused(answer, "invalid_dpop_proof", "htu")
    proof = prover.prove("POST", f"{server.url}/oauth/token?x=1#y")
    answer = httpx.post(
        f"{server.url}/oauth/token", data=form, headers={"DPoP": proof, "Host": "evil.test"}
    )
    assert answer.status_code == 200, answer.text


def test_section_11_1_a_proof_is_taken_once(server: Server) -> None:
    """Section 11.1: a replayed `jti` is refused for as long as the proof would be taken."""
    prover = prover_of(server)
    proof = prover.prove("POST", f"{server.url}/oauth/token", jti="the-one")
    same = prover.prove("POST", f"{server.url}/oauth/token", jti="the-one")
    assert proof != same
    form = {"grant_type": "refresh_token", "refresh_token": server.tokens()["refresh_token"]}
    first = exchange(server, None, proof, **form)
    assert first.status_code == 200, first.text
    form["refresh_token"] = first.json()["refresh_token"]
    for again in (proof, same):
        refused(exchange(server, None, again, **form), "invalid_dpop_proof", "before")
    server.clock.advance(AGE - SECOND)
    refused(exchange(server, None, proof, **form), "invalid_dpop_proof", "before")
    server.clock.advance(SECOND)
    refused(exchange(server, None, proof, **form), "invalid_dpop_proof", "ago")
    fresh = prover_of(server)
    fresh.key = prover.key
    later = fresh.prove("POST", f"{server.url}/oauth/token", jti="the-one")
    assert exchange(server, None, later, **form).status_code == 200


def test_section_11_1_two_keys_may_have_one_jti(server: Server) -> None:
    """Section 11.1: one client cannot use up the `jti` of another."""
    url = f"{server.url}/oauth/token"
    for _ in range(2):
        proof = prover_of(server).prove("POST", url, jti="common")
        form = {"grant_type": "refresh_token", "refresh_token": server.tokens()["refresh_token"]}
        assert exchange(server, None, proof, **form).status_code == 200


def test_section_5_the_refresh_token_of_a_public_client_is_bound(server: Server) -> None:
    """Section 5: only who holds the key refreshes; anyone else changes nothing."""
    prover, thief = prover_of(server), prover_of(server)
    client_id, tokens = of_public(server, prover)
    as_client = {"client_id": client_id, "client_secret": None}
    token = tokens["refresh_token"]
    refused(refresh(server, None, token, **as_client), "invalid_grant", "bound to a key")
    refused(refresh(server, thief, token, **as_client), "invalid_grant", "another key")
    after = refresh(server, prover, token, **as_client)
    assert after.status_code == 200, after.text
    assert claims_of(after.json()["access_token"])["cnf"] == {"jkt": prover.jkt}
    server.clock.advance(40 * SECOND)
    refused(refresh(server, thief, token, **as_client), "invalid_grant", "another key")
    refused(refresh(server, None, token, **as_client), "invalid_grant", "bound to a key")
    successor = after.json()["refresh_token"]
    assert refresh(server, prover, successor, **as_client).status_code == 200


def test_section_5_the_first_proof_of_a_public_client_binds(server: Server) -> None:
    """Section 5: refresh tokens that were bearer tokens are bound from the first proof on."""
    client_id, tokens = of_public(server, None)
    assert tokens["token_type"] == "Bearer"
    as_client = {"client_id": client_id, "client_secret": None}
    prover = prover_of(server)
    after = refresh(server, prover, tokens["refresh_token"], **as_client).json()
    assert after["token_type"] == "DPoP"
    refused(refresh(server, None, after["refresh_token"], **as_client), "invalid_grant")


def test_section_5_a_confidential_clients_refresh_token_may_change_keys(server: Server) -> None:
    """Section 5: it is bound to the client's own authentication, so keys may be rotated."""
    tokens = bound(server, prover_of(server))
    other = prover_of(server)
    after = refresh(server, other, tokens["refresh_token"]).json()
    assert claims_of(after["access_token"])["cnf"] == {"jkt": other.jkt}


def test_section_10_dpop_jkt_binds_the_code(server: Server) -> None:
    """Section 10: another key, or none, gets nothing for the code and does not spoil it."""
    prover = prover_of(server)
    code = server.code(dpop_jkt=prover.jkt)
    refused(redeem(server, None, code), "invalid_grant", "bound to a key")
    refused(redeem(server, prover_of(server), code), "invalid_grant", "another key")
    assert redeem(server, prover, code).json()["token_type"] == "DPoP"


@pytest.mark.parametrize("jkt", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "/"])
def test_section_10_dpop_jkt_is_a_thumbprint(server: Server, jkt: str) -> None:
    """Section 10: the parameter is a SHA-256 thumbprint of a JWK."""
    answer = server.ask(server.request(dpop_jkt=jkt))
    assert redirected(answer)["error"] == "invalid_request"


def test_section_10_dpop_jkt_comes_once(server: Server) -> None:
    """Section 10 with RFC 6749 section 3.1: no parameter comes twice."""
    jkt = prover_of(server).jkt
    answer = server.ask([*server.request().items(), ("dpop_jkt", jkt), ("dpop_jkt", jkt)])
    assert redirected(answer)["error"] == "invalid_request"


def test_section_5_2_a_client_may_be_held_to_bound_tokens(server: Server) -> None:
    """Section 5.2 (`dpop_bound_access_tokens`): requests without a proof are refused."""
    client_id = server.integration(ClientKind.PUBLIC, require_dpop=True)
    verifier, challenge = pkce()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = server.code(client_id=client_id, **asked)
    form = {"client_id": client_id, "client_secret": None, "code_verifier": verifier}
    refused(redeem(server, None, code, **form), "invalid_dpop_proof", "no bearer tokens")
    answer = redeem(server, prover_of(server), code, **form)
    assert answer.json()["token_type"] == "DPoP"


def test_section_5_2_it_holds_from_when_it_is_asked_for(server: Server) -> None:
    """Section 5.2: tokens that were bearer tokens are not refreshed without a proof."""
    client_id, tokens = of_public(server, None)
    write = server.world.store.write
    server.act(write(change_integration, NOBODY, client_id, require_dpop=True))
    as_client = {"client_id": client_id, "client_secret": None}
    token = tokens["refresh_token"]
    refused(refresh(server, None, token, **as_client), "invalid_dpop_proof", "no bearer tokens")
    assert refresh(server, prover_of(server), token, **as_client).status_code == 200


def test_section_5_2_machines_are_held_to_it_too(server: Server) -> None:
    """Section 5.2: client credentials are a token request like any other."""
    world, secret = server.world, ids.new_secret(ids.CLIENT_SECRET)
    made = server.act(
        world.store.write(
            create_service_account,
            NOBODY,
            world.developer.id,
            "Robot",
            world.link(scopes=frozenset({READ})),
            ids.digest(secret),
        )
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": secret,
    }
    assert exchange(server, None, **form).json()["token_type"] == "Bearer"
    assert exchange(server, prover_of(server), **form).json()["token_type"] == "DPoP"
    server.act(world.store.write(change_integration, NOBODY, made.client_id, require_dpop=True))
    refused(exchange(server, None, **form), "invalid_dpop_proof", "no bearer tokens")
    assert exchange(server, prover_of(server), **form).json()["token_type"] == "DPoP"


def test_section_7_1_a_bound_token_goes_with_a_proof(server: Server) -> None:
    """Section 7.1: scheme DPoP and a proof with `ath`; each proof once."""
    prover = prover_of(server)
    token = bound(server, prover)["access_token"]
    url = f"{server.url}/oauth/token/accessible-resources"
    proof = prover.prove("GET", url, token)
    assert resources(server, "DPoP", token, proof).status_code == 200
    assert resources(server, "dpop", token, prover.prove("GET", url, token)).status_code == 200
    other = bound(server, prover)["access_token"]
    stranger = prover_of(server)
    for proofs, error in (
        ([proof], "invalid_dpop_proof"),
        ([], "invalid_dpop_proof"),
        ([prover.prove("GET", url)], "invalid_dpop_proof"),
        ([prover.prove("GET", url, other)], "invalid_dpop_proof"),
        ([prover.prove("POST", url, token)], "invalid_dpop_proof"),
        ([stranger.prove("GET", url, token)], "invalid_token"),
    ):
        answer = resources(server, "DPoP", token, *proofs)
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("DPoP ")
        assert f'error="{error}"' in challenge
        assert f'algs="{" ".join(ALGORITHMS)}"' in challenge


def test_section_7_2_a_bound_token_is_no_bearer_token(server: Server) -> None:
    """Section 7.2: nor is a bearer token good with the scheme DPoP; both schemes are named."""
    prover = prover_of(server)
    token = bound(server, prover)["access_token"]
    url = f"{server.url}/oauth/token/accessible-resources"
    answer = resources(server, "Bearer", token)
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_bound")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="invalid_token"' in challenge
    assert 'DPoP algs="' in challenge
    assert resources(server, "Bearer", token, prover.prove("GET", url, token)).status_code == 401
    bearer = server.tokens()["access_token"]
    answer = resources(server, "DPoP", bearer, prover.prove("GET", url, bearer))
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_unbound")
    assert resources(server, "Bearer", bearer).status_code == 200


def test_section_7_2_without_credentials_both_schemes_are_named(server: Server) -> None:
    """Section 7.2: a client learns that it may use either."""
    answer = httpx.get(f"{server.url}/oauth/token/accessible-resources")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert "error=" not in challenge
    assert 'DPoP algs="' in challenge


def test_section_6_2_introspection_tells_the_key(server: Server) -> None:
    """Section 6.2: `cnf`, and `token_type` DPoP; nothing of the kind for a bearer token."""
    prover = prover_of(server)
    told = server.introspect(bound(server, prover)["access_token"]).json()
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": prover.jkt})
    assert "cnf" not in server.introspect(server.tokens()["access_token"]).json()


def test_section_5_1_metadata_lists_the_algorithms(server: Server) -> None:
    """Section 5.1, and RFC 9728 section 2: asymmetric algorithms alone; DPoP is not required."""
    at = f"{server.url}/.well-known"
    told = httpx.get(f"{at}/oauth-authorization-server").json()
    assert told["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert not {"none", "HS256", "RS256"} & set(ALGORITHMS)
    told = httpx.get(f"{at}/oauth-protected-resource").json()
    assert told["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert told["dpop_bound_access_tokens_required"] is False


def test_section_10_a_request_that_stops_on_a_page_binds_nothing(server: Server) -> None:
    """Section 10: `dpop_jkt` changes nothing of who is sent where."""
    answer = server.ask(server.request(dpop_jkt="x", redirect_uri="https://evil.test/"))
    on_page(answer)


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for nonces."""
    folder = tmp_path_factory.mktemp("careful")
    with authorization_server(folder, nonces=Nonces(b"k" * 32)) as running:
        yield running


def with_nonce(server: Server, prover: Prover, nonce: Any, code: str) -> Answer:
    prover.now = server.clock.now() / SECOND
    proof = prover.prove("POST", f"{server.url}/oauth/token", nonce=nonce)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    return exchange(server, None, proof, **form)


def test_section_8_the_server_asks_for_its_nonce(careful: Server) -> None:
    """Section 8: `use_dpop_nonce` and a `DPoP-Nonce` header; then the same request succeeds."""
    prover, code = prover_of(careful), careful.code()
    for wrong in (..., "", "x", None, 7, ["x"]):
        answer = with_nonce(careful, prover, wrong, code)
        refused(answer, "use_dpop_nonce", "nonce")
    nonce = answer.headers["dpop-nonce"]
    answer = with_nonce(careful, prover, nonce, code)
    assert answer.status_code == 200, answer.text
    assert answer.headers["dpop-nonce"] == nonce


def test_section_8_2_nonces_change_and_end(careful: Server) -> None:
    """Section 8.2: a new nonce comes with answers; an old one is good no longer."""
    prover = prover_of(careful)
    old = with_nonce(careful, prover, ..., careful.code()).headers["dpop-nonce"]
    careful.clock.advance(60 * SECOND)
    answer = with_nonce(careful, prover, old, careful.code())
    assert answer.status_code == 200, answer.text
    assert answer.headers["dpop-nonce"] != old
    careful.clock.advance(60 * SECOND)
    refused(with_nonce(careful, prover, old, careful.code()), "use_dpop_nonce")


def test_section_8_a_proof_that_is_wrong_otherwise_is_told_so(careful: Server) -> None:
    """Section 8: a nonce is asked for where nothing else is wrong."""
    prover = prover_of(careful)
    proof = prover.prove("GET", f"{careful.url}/oauth/token")
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    refused(exchange(careful, None, proof, **form), "invalid_dpop_proof", "htm")


def test_section_9_a_resource_asks_for_its_nonce(careful: Server) -> None:
    """Section 9: 401 with `error="use_dpop_nonce"`, and the nonce in its header."""
    prover = prover_of(careful)
    nonce = with_nonce(careful, prover, ..., careful.code()).headers["dpop-nonce"]
    token = with_nonce(careful, prover, nonce, careful.code()).json()["access_token"]
    url = f"{careful.url}/oauth/token/accessible-resources"
    answer = resources(careful, "DPoP", token, prover.prove("GET", url, token))
    assert answer.status_code == 401
    assert 'error="use_dpop_nonce"' in answer.headers["www-authenticate"]
    nonce = answer.headers["dpop-nonce"]
    answer = resources(careful, "DPoP", token, prover.prove("GET", url, token, nonce=nonce))
    assert answer.status_code == 200


def test_section_8_bearer_tokens_need_no_nonce(careful: Server) -> None:
    """Section 8: nonces are of proofs alone."""
    tokens = careful.tokens()
    assert tokens["token_type"] == "Bearer"
    assert "dpop-nonce" not in careful.resources(tokens["access_token"]).headers


def test_section_8_without_the_setting_nonces_are_not_looked_at(server: Server) -> None:
    """Section 8: a client that sends some other server's nonce is not refused for it."""
    answer = with_nonce(server, prover_of(server), "whatever", server.code())
    assert answer.status_code == 200
    assert "dpop-nonce" not in answer.headers
