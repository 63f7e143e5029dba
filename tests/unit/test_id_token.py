"""ID tokens: one made for somebody else, for another sign-in or by another key proves nothing.

Planted bugs that these tests were seen to fail on: each of the checks of `_require_claims` left
out; `use` of a key not looked at; a token without `kid` that fits the first of several keys.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from sallyport.tokens.id_token import (
    ALGORITHMS,
    LARGEST,
    BadIdToken,
    Expected,
    UnknownKey,
    verify,
)

NOW = 1_800_000_000_000
SECONDS = NOW // 1000
EXPECTED = Expected("https://idp.test", "client", "the-nonce")
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
KEYS: list[dict[str, Any]] = [RSA.as_dict(private=False), EC.as_dict(private=False)]
GOOD: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": EXPECTED.client_id,
    "sub": "ines",
    "exp": SECONDS + 300,
    "iat": SECONDS,
    "nonce": EXPECTED.nonce,
}


def made(
    claims: dict[str, Any] | None = None, key: Any = RSA, alg: str = "RS256", **header: Any
) -> str:
    registry = jws.JWSRegistry(algorithms=[*ALGORITHMS, "HS256", "none"], strict_check_header=False)
    head = {"alg": alg, "kid": key.as_dict().get("kid"), **header}
    head = {name: value for name, value in head.items() if value is not None}
    payload = json.dumps(GOOD if claims is None else claims)
    return jws.serialize_compact(head, payload, key, registry=registry)


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256")], ids=["RS", "PS", "ES"]
)
def test_a_good_token_tells_its_claims(key: Any, alg: str) -> None:
    assert verify(made(key=key, alg=alg), KEYS, EXPECTED, NOW) == GOOD
    listed = {**GOOD, "aud": ["client", "other"], "azp": "client"}
    assert verify(made(listed), KEYS, EXPECTED, NOW) == listed


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://idp.test/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": {"client": 1}},
        {"aud": ["client", "other"]},
        {"azp": "other"},
        {"exp": SECONDS - 61},
        {"exp": str(SECONDS + 300)},
        {"exp": None},
        {"exp": True},
        {"exp": float("inf")},
        {"iat": SECONDS + 120},
        {"iat": None},
        {"nbf": SECONDS + 120},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["the-nonce"]},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "é"},
        {"sub": "a\nb"},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_for_something_else_proves_nothing(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(BadIdToken):
        verify(made(claims), KEYS, EXPECTED, NOW)


def test_a_token_by_another_key_proves_nothing() -> None:
    with pytest.raises(BadIdToken, match="signature"):
        verify(made(key=OTHER), KEYS, EXPECTED, NOW)
    with pytest.raises(UnknownKey):
        verify(made(kid="unknown"), KEYS, EXPECTED, NOW)
    with pytest.raises(UnknownKey):
        verify(made(kid="ec"), KEYS, EXPECTED, NOW)
    nameless = [{**RSA.as_dict(private=False), "kid": None}, OTHER.as_dict(private=False)]
    raw = made(kid=None)
    with pytest.raises(BadIdToken, match="several"):
        verify(raw, nameless, EXPECTED, NOW)
    assert verify(raw, KEYS, EXPECTED, NOW) == GOOD
    for use in ({"use": "enc"}, {"alg": "RS512"}, {"kty": "oct"}, {"n": "AQAB"}, {"n": 7}):
        with pytest.raises(BadIdToken):
            verify(made(), [{**KEYS[0], **use}], EXPECTED, NOW)


def test_only_signatures_that_prove_something_count() -> None:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for alg in ("none", "None", "HS256", "EdDSA", 1, None):
        raw = f"{part({'alg': alg})}.{part(GOOD)}.AAAA"
        with pytest.raises(BadIdToken):
            verify(raw, KEYS, EXPECTED, NOW)
    signed = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(GOOD)}"
    mac = hmac.new(RSA.as_pem(private=False), signed.encode(), "sha256").digest()
    forged = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    with pytest.raises(BadIdToken, match="alg must be"):
        verify(f"{signed}.{forged}", KEYS, EXPECTED, NOW)
    good = made()
    head = part({"alg": "RS256", "kid": "rsa", "crit": ["x"]})
    with pytest.raises(BadIdToken, match="crit"):
        verify(f"{head}.{good.split('.', 1)[1]}", KEYS, EXPECTED, NOW)
    for raw in ("", "a.b", "a.b.c.d", good + "=", good + "\n", "x" * (LARGEST + 1), f" {good}"):
        with pytest.raises(BadIdToken):
            verify(raw, KEYS, EXPECTED, NOW)
