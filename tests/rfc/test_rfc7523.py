"""RFC 7523 section 3 (and RFC 7521): clients that sign in by a JWT of their own key.

Planted bugs that these tests were seen to fail on: the signature not checked; `alg` of the header
believed; `aud` not looked at, or any of several enough; `iss` not compared (the client is found by
`sub`); no `exp`, or a far one, taken; `jti` not remembered, or remembered for all clients alike;
secrets good beside keys; the endpoint's own address not taken; two ways of signing in at once; the
keys of a client that has ended still good.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from access_world import CALLBACK, JIRA, READ
from oauth_world import Server
from proving import encoded, signed
from sallyport.control import client_keys
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store.integrations import revoke_integration
from sallyport.store.service_accounts import create_service_account
from sallyport.tokens.assertion import ALGORITHMS
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Refused

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOBODY = Actor(account_id=None, name="a test")
Key = ECKey | OKPKey | RSAKey

EC = ECKey.generate_key("P-256", {"kid": "one"})
KEYS: dict[str, Key] = {
    "ES256": EC,
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "two"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "three"}),
}


def jwks(*keys: Key, **more: str) -> dict[str, Any]:
    return {"keys": [{**each.as_dict(private=False), **more} for each in keys]}


def set_keys(server: Server, client_id: str, document: dict[str, Any]) -> None:
    keys = client_keys.check_keys(document)
    server.act(server.world.store.write(client_keys.put_keys, NOBODY, client_id, keys))


class Signer:
    """A client that holds a key."""

    def __init__(
        self, server: Server, client_id: str, key: Key | bytes = EC, alg: str = "ES256"
    ) -> None:
        self.server, self.client_id, self.key, self.alg = server, client_id, key, alg

    def assertion(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A right assertion, but for the changes; `...` takes a claim away."""
        now = self.server.clock.now() // SECOND
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.server.url,
            "jti": ids.new_id(),
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        head = {"alg": self.alg, "kid": getattr(self.key, "kid", "one"), **(header or {})}
        head = {name: each for name, each in head.items() if each is not ...}
        claims = {name: each for name, each in claims.items() if each is not ...}
        parts = [encoded(json.dumps(each).encode()) for each in (head, claims)]
        if isinstance(self.key, bytes):
            mac = hmac.new(self.key, ".".join(parts).encode(), hashlib.sha256)
            return ".".join([*parts, encoded(mac.digest())])
        return signed(self.alg, parts[0], parts[1], self.key)

    def post(self, path: str, assertion: str | None = None, **form: str) -> httpx.Response:
        sent = {
            "client_assertion_type": TYPE,
            "client_assertion": assertion or self.assertion(),
            **form,
        }
        return self.server.post(path, {name: each for name, each in sent.items() if each})

    def token(self, assertion: str | None = None, **form: str) -> httpx.Response:
        return self.post("/oauth/token", assertion, grant_type="client_credentials", **form)


@pytest.fixture
def machine(server: Server) -> Signer:
    """A service account with an EC key."""
    return Signer(server, new_machine(server, jwks(EC)))


def new_machine(server: Server, keys: dict[str, Any]) -> str:
    world = server.world
    link = world.link(scopes=frozenset({READ}), product_scopes=frozenset({JIRA}))
    made = server.act(
        world.store.write(create_service_account, NOBODY, world.admin.id, "Job", link, None)
    )
    set_keys(server, made.client_id, keys)
    return made.client_id


def refused(answer: httpx.Response, says: str = "") -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    assert says in answer.json()["error_description"], answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("alg", sorted(KEYS))
def test_section_3_a_client_signs_in_by_its_key(server: Server, alg: str) -> None:
    """Section 2.2: `client_assertion` and its type; `client_id` is optional (RFC 7521 4.2)."""
    signer = Signer(server, new_machine(server, jwks(KEYS[alg])), KEYS[alg], alg)
    assert signer.token().status_code == 200
    assert signer.token(client_id=signer.client_id).status_code == 200


def test_section_3_it_signs_in_at_every_endpoint(server: Server) -> None:
    """RFC 7009, RFC 7662, RFC 9126: the same ways everywhere; the token's whole life."""
    client_id = server.integration(ClientKind.CONFIDENTIAL, forge_compatible=True)
    set_keys(server, client_id, jwks(EC))
    signer = Signer(server, client_id)
    pushed = signer.post("/oauth/par", **server.request(client_id=client_id))
    assert pushed.status_code == 201, pushed.text
    code = server.code(client_id=client_id)
    exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    tokens = signer.post("/oauth/token", **exchange).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    after = signer.post("/oauth/token", **refresh).json()
    told = signer.post("/oauth/introspect", token=after["access_token"]).json()
    assert told["active"] is True
    assert signer.post("/oauth/revoke", token=after["access_token"]).status_code == 200
    told = signer.post("/oauth/introspect", token=after["access_token"]).json()
    assert told == {"active": False}


def test_section_3_3_the_audience_is_this_server(server: Server, machine: Signer) -> None:
    """Item 3: the issuer or the token endpoint; RFC 9126 section 2: or the endpoint itself."""
    token = f"{server.url}/oauth/token"
    for aud in (server.url, token, [server.url], [server.url, token]):
        assert machine.token(machine.assertion(aud=aud)).status_code == 200
    told = machine.post(
        "/oauth/introspect", machine.assertion(aud=f"{server.url}/oauth/introspect"), token="x"
    )
    assert told.json() == {"active": False}
    elsewhere: list[Any] = [
        ...,
        None,
        "",
        [],
        7,
        "https://elsewhere.test",
        server.url + "/",
        f"{server.url}/oauth/introspect",
        [server.url, "https://elsewhere.test"],
        {"aud": server.url},
        machine.client_id,
    ]
    for aud in elsewhere:
        refused(machine.token(machine.assertion(aud=aud)), "aud")


@pytest.mark.parametrize("claim", ["iss", "sub"])
def test_section_3_1_issuer_and_subject_are_the_client(
    server: Server, machine: Signer, claim: str
) -> None:
    """Items 1 and 2."""
    for value in (..., "", None, 7, server.world.client_id, machine.client_id.upper()):
        refused(machine.token(machine.assertion(**{claim: value})))
    refused(machine.token(client_id=server.world.client_id), "client_id")


def test_section_3_4_it_ends_and_soon(server: Server, machine: Signer) -> None:
    """Item 4: `exp` is there, has not passed, and is not unreasonably far."""
    now = server.clock.now() // SECOND
    for exp in (..., None, now, now - 1, now + 4000, str(now + 60), True, float("1e300"), -1):
        refused(machine.token(machine.assertion(exp=exp)), "exp")
    assert machine.token(machine.assertion(exp=now + 1)).status_code == 200
    assert machine.token(machine.assertion(exp=now + 3600)).status_code == 200
    assert machine.token(machine.assertion(exp=now + 60.5)).status_code == 200


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_section_3_5_it_does_not_come_from_the_future(
    server: Server, machine: Signer, claim: str
) -> None:
    """Items 5 and 6."""
    now = server.clock.now() // SECOND
    for value in (now + 60, "now", None):
        refused(machine.token(machine.assertion(**{claim: value})), claim)
    for value in (now, now + 5, now - 3600):
        assert machine.token(machine.assertion(**{claim: value})).status_code == 200


def test_section_3_7_an_assertion_is_good_once(server: Server, machine: Signer) -> None:
    """Item 7: replay is found by `jti`, also under another text and at another endpoint."""
    jti = ids.new_id()
    used = machine.assertion(jti=jti)
    assert machine.token(used).status_code == 200
    refused(machine.token(used), "used before")
    refused(machine.post("/oauth/introspect", used, token="x"), "used before")
    refused(machine.token(machine.assertion(jti=jti, exp=server.clock.now() // SECOND + 30)))
    other = Signer(server, new_machine(server, jwks(EC)))
    assert other.token(other.assertion(jti=jti)).status_code == 200, "ids are each client's own"
    for value in (..., "", None, 7, "x" * 300):
        refused(machine.token(machine.assertion(jti=value)), "jti")


def test_section_3_9_it_is_signed_by_the_clients_key(server: Server, machine: Signer) -> None:
    """Items 9 and 10, RFC 8725: the key's own algorithm, whatever the header says."""
    thief = ECKey.generate_key("P-256", {"kid": "one"})
    public = json.dumps(EC.as_dict(private=False)).encode()
    forged: list[tuple[Key | bytes, str, dict[str, Any]]] = [
        (thief, "ES256", {}),
        (thief, "ES256", {"jwk": thief.as_dict(private=False)}),
        (thief, "ES256", {"jku": "https://evil.test/jwks", "x5u": "https://evil.test/x"}),
        (EC.as_pem(private=False), "HS256", {}),
        (public, "HS256", {}),
        (public, "ES256", {}),
        (b"", "none", {}),
        (EC, "ES256", {"alg": "none"}),
        (EC, "ES256", {"alg": "RS256"}),
        (EC, "ES256", {"alg": ...}),
        (KEYS["RS256"], "RS256", {"kid": "one"}),
        (KEYS["EdDSA"], "EdDSA", {"kid": "one"}),
        (EC, "ES256", {"kid": "other"}),
        (EC, "ES256", {"kid": ["one"]}),
        (EC, "ES256", {"crit": ["exp"]}),
        (EC, "ES256", {"typ": "dpop+jwt"}),
        (EC, "ES256", {"typ": "at+jwt"}),
    ]
    for key, alg, header in forged:
        refused(machine.token(Signer(server, machine.client_id, key, alg).assertion(header)))
    head, body, signature = machine.assertion().split(".")
    for raw in (f"{head}.{body}.", f"{head}.{body}", f"{head}..{signature}", "x", "x" * 9000):
        refused(machine.token(raw))
    for header in ({"typ": "JWT"}, {"typ": "client-authentication+jwt"}, {"kid": ...}):
        assert machine.token(machine.assertion(header)).status_code == 200


def test_section_3_each_client_has_its_own_keys(server: Server, machine: Signer) -> None:
    other = Signer(server, new_machine(server, jwks(KEYS["EdDSA"])))
    refused(other.token())
    refused(Signer(server, server.world.client_id).token(), "no keys")
    refused(Signer(server, ids.new_id()).token(), "no keys")
    refused(Signer(server, "nobody").token())
    server.act(server.world.store.write(revoke_integration, NOBODY, machine.client_id))
    refused(machine.token())


def test_rfc7521_section_4_2_a_client_signs_in_one_way(server: Server, machine: Signer) -> None:
    """RFC 6749 section 2.3: not two; and a type that is not known is none."""
    secret = {"client_secret": server.world.secret}
    answer = machine.token(**secret)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    basic = base64.b64encode(f"{machine.client_id}:x".encode()).decode()
    form = {"client_assertion_type": TYPE, "client_assertion": machine.assertion()}
    answer = server.post("/oauth/token", form, headers={"Authorization": f"Basic {basic}"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    for wrong in ("", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"):
        answer = machine.token(client_assertion_type=wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_section_3_who_has_keys_has_no_secret(server: Server) -> None:
    """Keys take the place of secrets, so that a leaked one is good for nothing."""
    world = server.world
    secret = ids.new_secret(ids.CLIENT_SECRET)
    link = world.link(scopes=frozenset({READ}), product_scopes=frozenset({JIRA}))
    made = server.act(
        world.store.write(
            create_service_account, NOBODY, world.admin.id, "Job", link, ids.digest(secret)
        )
    )
    form = {"grant_type": "client_credentials", "client_id": made.client_id}
    assert server.post("/oauth/token", {**form, "client_secret": secret}).status_code == 200
    set_keys(server, made.client_id, jwks(EC))
    refused(server.post("/oauth/token", {**form, "client_secret": secret}))
    refused(server.post("/oauth/token", form))
    assert Signer(server, made.client_id).token().status_code == 200


def test_section_3_keys_rotate_by_being_two_for_a_while(server: Server) -> None:
    client_id = new_machine(server, jwks(EC))
    old, new = Signer(server, client_id), Signer(server, client_id, KEYS["EdDSA"], "EdDSA")
    set_keys(server, client_id, jwks(EC, KEYS["EdDSA"]))
    assert old.token().status_code == new.token().status_code == 200
    refused(new.token(new.assertion({"kid": ...})), "kid")
    set_keys(server, client_id, jwks(KEYS["EdDSA"]))
    refused(old.token())
    assert new.token().status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": []},
        {"keys": "https://client.test/jwks"},
        {"keys": ["https://client.test/jwks"]},
        {"keys": [EC.as_dict(private=True)]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
        {"keys": [{**EC.as_dict(private=False), "alg": "HS256"}]},
        {"keys": [{**EC.as_dict(private=False), "alg": "RS256"}]},
        {"keys": [{**EC.as_dict(private=False), "use": "enc"}]},
        {"keys": [{**EC.as_dict(private=False), "crv": "P-384"}]},
        {"keys": [{**EC.as_dict(private=False), "x": "A" * 43}]},
        {"keys": [{**EC.as_dict(private=False), "kid": "a b"}]},
        {"keys": [EC.as_dict(private=False)] * 2},
        {
            "keys": [
                {k: v for k, v in each.as_dict(private=False).items() if k != "kid"}
                for each in (EC, KEYS["EdDSA"])
            ]
        },
        {"keys": [{"kty": "RSA", "n": "v" * 171, "e": "AQAB"}]},
        {"keys": [EC.as_dict(private=False)] * 11},
    ],
)
def test_section_3_what_is_no_key_is_not_taken(document: Any) -> None:
    """Only public keys, of strength, each for one algorithm; and nothing that has to be fetched."""
    with pytest.raises(Refused) as caught:
        client_keys.check_keys(document)
    assert caught.value.fix


def test_rfc8414_section_2_metadata_names_the_method_and_its_algorithms(server: Server) -> None:
    told = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    for endpoint in ("token", "revocation", "introspection"):
        assert "private_key_jwt" in told[f"{endpoint}_endpoint_auth_methods_supported"]
        algorithms = told[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert tuple(algorithms) == ALGORITHMS
        assert "none" not in algorithms
