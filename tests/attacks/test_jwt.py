"""T-JWT: only a token that this platform signed, as an access token for itself, is one.

Planted bugs that these tests were seen to fail on: no signature check; any `typ`; unknown header
parameters let through; the newest key used whatever `kid` says; duplicate claims read last; `exp`
as a float; the audience looked for inside a list; the cache not asking the clock.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from sallyport.model.access import Grant
from sallyport.store.changes import Change, Kind
from sallyport.tokens.access import LARGEST, TokenCache, mint, verify
from sallyport.tokens.keys import KeyRing, SigningKey, new_signing_key
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id

ISSUER = "https://sallyport.test"
NOW = 1_800_000_000_000
KEY = new_signing_key()
RING = KeyRing((KEY,))
GRANT = Grant(
    id=new_id(),
    client_id=new_id(),
    account_id=new_id(),
    site_id=new_id(),
    app_id=new_id(),
    environment_id=new_id(),
    scopes=frozenset({"read:x:custom"}),
    created_at=NOW,
    revoked_at=None,
)
FAMILY = new_id()
TOKEN = mint(
    RING, ISSUER, GRANT, FAMILY, {"read:x:custom", "offline_access"}, NOW, NOW + 3600 * SECOND
)
HEADER: dict[str, Any] = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


CLAIMS: dict[str, Any] = json.loads(decode(TOKEN.split(".")[1]))


def signed(payload: str, header: dict[str, Any] | None = None, key: Any = KEY.key) -> str:
    """`payload` as it is, signed rightly under this header."""
    header = header or HEADER
    registry = jws.JWSRegistry(
        algorithms=["ES256", "ES384", "RS256", "HS256", "none"], strict_check_header=False
    )
    return jws.serialize_compact(header, payload, key, registry=registry)


def with_claims(**changes: Any) -> str:
    claims = {**CLAIMS, **changes}
    return signed(json.dumps({k: v for k, v in claims.items() if v is not ...}))


def refuse(token: str, now: int = NOW) -> None:
    """Refused as invalid, in words that say nothing of what is wrong."""
    with pytest.raises(Refused) as caught:
        verify(RING, ISSUER, token, now)
    assert caught.value.reason is Reason.TOKEN_INVALID
    assert caught.value.detail == "The access token is not one that this platform issued."
    with pytest.raises(Refused):
        TokenCache().verify(RING, ISSUER, token, now)


def test_the_real_one_is_taken() -> None:
    token = verify(RING, ISSUER, TOKEN, NOW)
    assert token.account_id == GRANT.account_id
    assert token.scopes == {"read:x:custom", "offline_access"}
    assert token.namespace == f"{GRANT.app_id}.{GRANT.environment_id}"
    assert verify(RING, ISSUER, with_claims(), NOW) == token


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", "HS256", "RS256", "ES384", "es256"])
def test_another_algorithm_in_the_header_is_refused(alg: str) -> None:
    _head, body, signature = TOKEN.split(".")
    head = encode(json.dumps({**HEADER, "alg": alg}).encode())
    refuse(f"{head}.{body}.{signature}")
    refuse(f"{head}.{body}.")
    refuse(f"{head}.{body}")


def test_the_public_key_is_no_hmac_secret() -> None:
    head = encode(json.dumps({**HEADER, "alg": "HS256"}).encode())
    body = TOKEN.split(".")[1]
    public = KEY.key.as_pem(private=False)
    for secret in (public, public.strip(), json.dumps(RING.jwks()["keys"][0]).encode()):
        mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
        refuse(f"{head}.{body}.{encode(mac)}")
        refuse(f"{head}.{body}.{encode(mac + mac)}")


def test_an_rsa_signature_is_refused() -> None:
    rsa = RSAKey.generate_key(2048)
    refuse(signed(json.dumps(CLAIMS), {**HEADER, "alg": "RS256"}, rsa))


def test_a_key_that_the_token_brings_is_not_used() -> None:
    mine = ECKey.generate_key("P-256")
    jwk = mine.as_dict(private=False)
    for extra in (
        {"jwk": jwk},
        {"jku": "https://evil.test/jwks.json"},
        {"x5u": "https://evil.test/x"},
        {"x5c": ["AAAA"]},
    ):
        refuse(signed(json.dumps(CLAIMS), {**HEADER, **extra}, mine))
        refuse(signed(json.dumps(CLAIMS), {**HEADER, **extra}))
    refuse(signed(json.dumps(CLAIMS), HEADER, mine))


@pytest.mark.parametrize(
    "kid",
    [
        "x",
        "",
        "../../etc/passwd",
        "' OR 1=1 --",
        "\u0000",
        mint.__name__,
        None,
        7,
        ["a"],
        {"a": 1},
    ],
)
def test_an_unknown_key_id_is_refused(kid: Any) -> None:
    head = encode(json.dumps({**HEADER, "kid": kid}).encode())
    _, body, signature = TOKEN.split(".")
    refuse(f"{head}.{body}.{signature}")


def test_a_retired_key_no_longer_verifies() -> None:
    with pytest.raises(Refused):
        verify(KeyRing((new_signing_key(),)), ISSUER, TOKEN, NOW)
    both = KeyRing((KEY, SigningKey("newer", ECKey.generate_key("P-256"))))
    assert verify(both, ISSUER, TOKEN, NOW)
    assert both.signing_at(0).kid == "newer"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "AT+JWT", "application/at+jwt", "logout+jwt", ""])
def test_another_type_of_token_is_refused(typ: str) -> None:
    refuse(signed(json.dumps(CLAIMS), {**HEADER, "typ": typ}))


@pytest.mark.parametrize("missing", ["typ", "kid"])
def test_a_header_must_be_complete(missing: str) -> None:
    refuse(signed(json.dumps(CLAIMS), {k: v for k, v in HEADER.items() if k != missing}))


def test_critical_and_unknown_header_parameters_are_refused() -> None:
    _, body, signature = TOKEN.split(".")
    for extra in ({"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False}, {"zip": "DEF"}):
        head = encode(json.dumps({**HEADER, **extra}).encode())
        refuse(f"{head}.{body}.{signature}")


def test_a_member_that_comes_twice_is_refused() -> None:
    text = json.dumps(CLAIMS)
    for name in ("sub", "exp", "scope", "grant", "aud"):
        for first in (json.dumps(CLAIMS[name]), '"evil"'):
            refuse(signed(text[:-1] + f', "{name}": {first}}}'))
    head = json.dumps(HEADER)[:-1] + ', "alg": "ES256"}'
    _, body, signature = TOKEN.split(".")
    refuse(f"{encode(head.encode())}.{body}.{signature}")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"iss": ISSUER + "/"},
        {"iss": ...},
        {"aud": "https://evil.test"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://evil.test"]},
        {"aud": ...},
        {"exp": ...},
        {"exp": str(NOW // 1000 + 60)},
        {"exp": NOW / 1000 + 60},
        {"exp": True},
        {"exp": None},
        {"exp": [NOW]},
        {"nbf": NOW // 1000 + 60},
        {"nbf": 0},
        {"cnf": {"jkt": "x"}},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"jti": ...},
        {"client_id": ...},
        {"grant": ...},
        {"grant": {"id": "x"}},
        {"family": ...},
        {"ns": ...},
        {"scope": ...},
        {"scope": ["read:x:custom"]},
        {"scope": "read:x:custom"},
        {"scope": f"{new_id()}.{new_id()}:read:x:custom"},
    ],
)
def test_claims_are_exactly_what_we_write(changes: dict[str, Any]) -> None:
    refuse(with_claims(**changes))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1.8e12"])
def test_an_end_that_is_no_whole_number_is_refused(number: str) -> None:
    claims = json.dumps({k: v for k, v in CLAIMS.items() if k != "exp"})
    refuse(signed(claims[:-1] + f', "exp": {number}}}'))


def test_a_token_ends_on_the_second_and_the_cache_asks_the_clock() -> None:
    cache = TokenCache()
    end = NOW + 3600 * SECOND
    for check in (verify, cache.verify):
        assert check(RING, ISSUER, TOKEN, end - 1)
        with pytest.raises(Refused) as caught:
            check(RING, ISSUER, TOKEN, end)
        assert caught.value.reason is Reason.TOKEN_EXPIRED


def test_large_and_nested_tokens_are_refused_quickly() -> None:
    began = time.monotonic()
    _, body, signature = TOKEN.split(".")
    deep = encode(b'{"a":' * 1500)
    for token in (
        "a" * 1_000_000,
        f"{'a' * LARGEST}.{body}.{signature}",
        f"{TOKEN.split('.')[0]}.{deep}.{signature}",
        f"{deep[:500]}.{body}.{signature}",
    ):
        refuse(token)
    assert time.monotonic() - began < 2


def test_padding_and_other_spellings_of_a_token_are_refused() -> None:
    head, body, signature = TOKEN.split(".")
    for other in (
        f"{head}=.{body}.{signature}",
        f"{head}.{body}.{signature}=",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{TOKEN}.x",
        f"{TOKEN}.",
        f"{head}..{signature}",
        TOKEN.replace(".", "%2E"),
        "",
        "..",
        "é.é.é",
        "\ud800",
    ):
        refuse(other)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_changed_character_breaks_it(part: int) -> None:
    parts = TOKEN.split(".")
    for index in range(0, len(parts[part]) - 1, 7):
        swapped = "A" if parts[part][index] != "A" else "B"
        changed = parts[part][:index] + swapped + parts[part][index + 1 :]
        refuse(".".join([*parts[:part], changed, *parts[part + 1 :]]))


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_any_text_is_refused_and_never_more(text: str) -> None:
    with pytest.raises(Refused):
        verify(RING, ISSUER, text, NOW)


@given(
    st.dictionaries(
        st.sampled_from(sorted(CLAIMS)),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.none()),
        min_size=1,
    )
)
def test_any_claims_are_taken_whole_or_refused(changes: dict[str, Any]) -> None:
    """Rightly signed claims of the wrong shapes never raise anything but a refusal."""
    token = with_claims(**changes)
    with contextlib.suppress(Refused):
        verify(RING, ISSUER, token, NOW)


def test_the_cache_is_bounded_and_forgets_with_the_keys() -> None:
    cache = TokenCache(bound=3)
    tokens = [
        mint(RING, ISSUER, GRANT, FAMILY, {"read:x:custom"}, NOW, NOW + SECOND) for _ in range(5)
    ]
    for token in tokens:
        cache.verify(RING, ISSUER, token, NOW)
    assert len(cache) == 3
    cache.hear(Change(Kind.GRANT, "x"))
    assert len(cache) == 3
    cache.hear(Change(Kind.KEYS, "*"))
    assert len(cache) == 0
    for wrong in ("x", TOKEN[:-1]):
        with pytest.raises(Refused):
            cache.verify(RING, ISSUER, wrong, NOW)
    assert len(cache) == 0
