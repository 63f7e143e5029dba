"""The checker of DPoP proofs (RFC 9449 section 4.3), alone and fed with nonsense.

Planted bugs that these tests were seen to fail on: the signature not checked; `typ` not looked at;
HS256 among the algorithms; private members of the key ignored; the key's type not compared with
the algorithm; a part in another spelling of base64url; members that come twice read last; `iat`
looked at on one side alone; `exp` ignored; the query of `htu` compared; `htm` in any case; `ath`
not needed; the second of two headers ignored; `jti` of any length; the digest without the key; an
RSA modulus measured with its zeros.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from proving import Prover, encoded, provers, signed
from sallyport.tokens.proof import (
    AGE,
    AHEAD,
    ALGORITHMS,
    LARGEST,
    LONGEST_JTI,
    Proof,
    Wanted,
    canonical_url,
    check_proof,
    is_thumbprint,
)
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused

NOW = 1_800_000_000_000
URL = "https://sallyport.test/svc/jira/c/apps/a/getEmployeeName"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"
WANTED = Wanted("GET", (URL,), TOKEN)
PROVERS = provers()
ONE = PROVERS[0]
for _each in PROVERS:
    _each.now = NOW / SECOND


def made(prover: Prover = ONE, **changes: Any) -> str:
    return prover.prove("GET", URL, TOKEN, **changes)


def check(*values: str, wanted: Wanted = WANTED, now: int = NOW) -> Proof:
    return check_proof(values, wanted, now)


def refuse(*values: str, wanted: Wanted = WANTED, now: int = NOW) -> str:
    """Refused; what the caller is told."""
    with pytest.raises(Refused) as caught:
        check(*values, wanted=wanted, now=now)
    assert caught.value.reason is Reason.DPOP_PROOF_INVALID
    return caught.value.detail


@pytest.mark.parametrize("prover", PROVERS, ids=lambda each: each.alg)
def test_a_proof_of_each_algorithm_is_taken(prover: Prover) -> None:
    proof = check(made(prover))
    assert proof.jkt == prover.jkt
    assert is_thumbprint(proof.jkt)
    assert (proof.made_at, proof.expires_at) == (NOW, NOW + AGE)
    assert {each.alg for each in PROVERS} == set(ALGORITHMS)


def test_the_digest_tells_key_and_jti_and_nothing_else() -> None:
    first = check(made(jti="one"))
    assert check(made(jti="one", iat=NOW // SECOND - 1)).digest == first.digest
    assert check(made(jti="two")).digest != first.digest
    other = Prover(now=NOW / SECOND)
    assert check(made(other, jti="one")).digest != first.digest


def test_one_header_with_one_proof() -> None:
    assert "no DPoP header" in refuse()
    assert "more than one" in refuse(made(), made())
    for value in ("", "x", f"{made()},{made()}", f"{made()} ", f" {made()}", made() + "\n"):
        refuse(value)
    assert "longer" in refuse(made(padding="x" * LARGEST))


@pytest.mark.parametrize("typ", [..., "", "jwt", "JWT", "at+jwt", "DPoP+jwt", None, 1])
def test_typ_is_dpop_jwt(typ: Any) -> None:
    refuse(made(header={"typ": typ}))


@pytest.mark.parametrize(
    "alg", ["none", "HS256", "RS256", "ES512", "es256", "", None, 7, ["ES256"]]
)
def test_an_algorithm_that_is_not_listed_is_refused(alg: Any) -> None:
    head, body, signature = made().split(".")
    head = encoded(json.dumps(ONE.header(alg=alg)).encode())
    refuse(f"{head}.{body}.{signature}")
    refuse(f"{head}.{body}.")


def test_the_public_key_is_no_hmac_secret() -> None:
    for alg in ("HS256", "ES256"):
        head = encoded(json.dumps(ONE.header(alg=alg)).encode())
        body = encoded(json.dumps(ONE.claims("GET", URL, TOKEN)).encode())
        for secret in (ONE.key.as_pem(private=False), json.dumps(ONE.jwk).encode()):
            mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
            refuse(f"{head}.{body}.{encoded(mac)}")
            refuse(f"{head}.{body}.{encoded(mac + mac)}")


def test_a_secret_is_no_public_key() -> None:
    oct_key = {"kty": "oct", "k": encoded(b"x" * 32)}
    assert "private" in refuse(made(header={"jwk": oct_key}))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_key_in_the_header_is_refused(member: str) -> None:
    assert "private" in refuse(made(header={"jwk": {**ONE.jwk, member: "AA"}}))
    assert "private" in refuse(made(header={"jwk": {**ONE.jwk, member: None}}))


def test_a_whole_private_key_is_refused() -> None:
    for prover in PROVERS:
        private = prover.key.as_dict(private=True)
        assert "private" in refuse(made(prover, header={"jwk": private}))


def test_the_key_is_of_the_algorithms_sort() -> None:
    keys = [each.jwk for each in PROVERS]
    keys += [
        ECKey.generate_key("P-521").as_dict(private=False),
        ECKey.generate_key("secp256k1").as_dict(private=False),
        OKPKey.generate_key("Ed448").as_dict(private=False),
        OKPKey.generate_key("X25519").as_dict(private=False),
    ]
    for prover in PROVERS:
        for jwk in keys:
            if jwk != prover.jwk:
                refuse(made(prover, header={"jwk": jwk}))


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize("bits", [1024, 2040, 4608])
def test_a_short_or_huge_rsa_key_is_refused(bits: int) -> None:
    weak = Prover("PS256", RSAKey.generate_key(bits), now=NOW / SECOND)
    refuse(weak.prove("GET", URL, TOKEN))


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_zeros_in_front_make_no_longer_rsa_key() -> None:
    weak = Prover("PS256", RSAKey.generate_key(2040), now=NOW / SECOND)
    n = base64.urlsafe_b64decode(weak.jwk["n"] + "==")
    jwk = {**weak.jwk, "n": encoded(b"\0" + n)}
    assert "bits" in refuse(made(weak, header={"jwk": jwk}))


@pytest.mark.parametrize("changes", [{"kty": "RSA"}, {"kty": "OKP"}, {"crv": "P-384"}, {"crv": 1}])
def test_a_key_that_calls_itself_another_sort_is_refused(changes: dict[str, Any]) -> None:
    assert "ES256" in refuse(made(header={"jwk": {**ONE.jwk, **changes}}))


@pytest.mark.parametrize("jwk", [..., None, "x", [], {}, {"kty": "EC"}, {"kty": ["EC"]}])
def test_without_a_key_it_is_refused(jwk: Any) -> None:
    refuse(made(header={"jwk": jwk}))


@pytest.mark.parametrize("value", [..., "", "AA", None, 5, "!" * 43, "A" * 43, "A" * 42 + "B"])
def test_a_point_that_is_none_is_refused(value: Any) -> None:
    jwk = {name: each for name, each in {**ONE.jwk, "x": value}.items() if each is not ...}
    refuse(made(header={"jwk": jwk}))


def test_other_members_of_header_key_and_claims_change_nothing() -> None:
    jwk = {**ONE.jwk, "use": "sig", "kid": "x", "alg": "ES256", "key_ops": ["verify"]}
    proof = check(made(header={"jwk": jwk, "kid": "y", "jku": "https://x.test"}, nonce="z", aud=1))
    assert proof.jkt == ONE.jkt


def test_an_extension_that_must_be_understood_is_refused() -> None:
    assert "crit" in refuse(made(header={"crit": ["b64"], "b64": False}))


def test_the_signature_is_by_the_key_in_the_header() -> None:
    other = Prover(now=NOW / SECOND)
    refuse(made(header={"jwk": other.jwk}))
    head, body, signature = made().split(".")
    for part in (encoded(b"\0" * 64), signature[:-4], signature[::-1], signature + "AAAA"):
        refuse(f"{head}.{body}.{part}")
    changed = json.dumps(ONE.claims("GET", URL, TOKEN)).encode()
    refuse(f"{head}.{encoded(changed)}.{signature}")


def test_base64url_has_one_spelling() -> None:
    head, body, signature = made(jti="j").split(".")
    for pad in ("=", "=="):
        refuse(f"{head}{pad}.{body}.{signature}")
    data = json.dumps(ONE.claims("GET", URL, TOKEN)).encode()
    while len(data) % 3 != 1:
        data += b" "
    body = encoded(data)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = body[:-1] + alphabet[alphabet.index(body[-1]) + 1]
    assert base64.urlsafe_b64decode(sibling + "==") == data
    refuse(_signed_as_is(ONE, sibling))
    assert check(_signed_as_is(ONE, body))


def test_no_member_comes_twice() -> None:
    claims = json.dumps(ONE.claims("GET", URL, TOKEN))
    doubled = claims[:-1] + f', "htm": "GET"{claims[-1]}'
    refuse(_signed_as_is(ONE, encoded(doubled.encode())))
    for text in ("[]", "1", '"x"', "", claims[:-1], '{"iat": NaN}', "[" * 9000, "\ufeff" + claims):
        refuse(_signed_as_is(ONE, encoded(text.encode())))
    refuse(_signed_as_is(ONE, encoded(claims.encode("utf-16"))))


@pytest.mark.parametrize("htm", [..., "POST", "get", "Get", "GET ", None, ["GET"], ""])
def test_htm_is_the_method(htm: Any) -> None:
    assert "htm" in refuse(made(htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?a=1",
        URL + "?a=1#b",
        URL + "#b",
        URL.replace("https", "HTTPS").replace("sallyport.test", "SallyPort.TEST"),
        URL.replace("sallyport.test", "sallyport.test:443"),
        URL.replace("getEmployeeName", "%67etEmployeeName"),
    ],
)
def test_htu_is_compared_in_normal_form(htu: str) -> None:
    assert check(made(htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        ...,
        None,
        "",
        7,
        [URL],
        URL + "/",
        URL + "x",
        URL[:-1],
        URL.replace("https", "http"),
        URL.replace("sallyport.test", "sallyport.test:8443"),
        URL.replace("sallyport.test", "evil.test"),
        URL.replace("sallyport.test", "sallyport.test.evil.test"),
        URL.replace("sallyport.test", "x@sallyport.test"),
        URL.replace("sallyport.test", "sallyport.test\\@evil.test"),
        URL.replace("getEmployeeName", "getemployeename"),
        URL.replace("/getEmployeeName", "/x/../getEmployeeName"),
        URL.replace("/getEmployeeName", "//getEmployeeName"),
        URL.replace("/getEmployeeName", "%2FgetEmployeeName"),
        URL + "\ud800",
        URL + "\u0000",
        "/svc/jira/c/apps/a/getEmployeeName",
    ],
)
def test_htu_is_the_address(htu: Any) -> None:
    assert "htu" in refuse(made(htu=htu))


def test_an_address_is_brought_into_normal_form() -> None:
    assert canonical_url("HTTP://A.Test:80/%7eme/%e2%82%ac%2f?x#y") == (
        "http://a.test/~me/%E2%82%AC%2F"
    )
    assert canonical_url("https://a.test") == "https://a.test/"
    assert canonical_url("http://[::1]:8440/x") == "http://[::1]:8440/x"


def test_the_proof_is_made_just_now() -> None:
    second = NOW // SECOND
    for iat in (second, second - AGE // SECOND + 1, second + AHEAD // SECOND, NOW / SECOND + 0.5):
        assert check(made(iat=iat))
    assert "ago" in refuse(made(iat=second - AGE // SECOND))
    assert "future" in refuse(made(iat=second + AHEAD // SECOND + 1))
    assert "ago" in refuse(made(iat=0))
    proof = made()
    assert check(proof, now=NOW + AGE - 1)
    refuse(proof, now=NOW + AGE)
    refuse(proof, now=NOW - AHEAD - 1)


@pytest.mark.parametrize("iat", [..., None, "1800000000", True, -1, 1e300, [], NOW])
def test_iat_is_a_time_in_seconds(iat: Any) -> None:
    refuse(made(iat=iat))


def test_exp_and_nbf_hold_where_they_are() -> None:
    second = NOW // SECOND
    assert check(made(exp=second + 1, nbf=second))
    refuse(made(exp=second))
    refuse(made(nbf=second + AHEAD // SECOND + 1))
    refuse(made(exp="never"))


@pytest.mark.parametrize("jti", [..., "", None, 7, "x" * (LONGEST_JTI + 1), ["x"]])
def test_jti_is_a_bounded_string(jti: Any) -> None:
    assert "jti" in refuse(made(jti=jti))


@pytest.mark.parametrize("jti", ["x", "x" * LONGEST_JTI, "é\u20ac", "\ud800"])
def test_any_other_jti_is_taken(jti: str) -> None:
    assert len(check(made(jti=jti)).digest) == 64


@pytest.mark.parametrize("ath", [..., None, "", TOKEN, "é", 7, hashlib.sha256(b"x").hexdigest()])
def test_ath_is_the_digest_of_the_token(ath: Any) -> None:
    assert "ath" in refuse(made(ath=ath))


def test_without_a_token_ath_is_not_asked_for() -> None:
    assert check(made(ath=...), wanted=Wanted("GET", (URL,)))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.text(max_size=200), max_size=3))
def test_nonsense_is_refused_and_nothing_else(values: list[str]) -> None:
    refuse(*values)


@given(
    st.sampled_from(["typ", "alg", "jwk", "htm", "htu", "iat", "jti", "ath", "exp", "nbf", "crit"]),
    ANY_JSON,
)
def test_any_value_anywhere_is_taken_or_refused(name: str, value: Any) -> None:
    header, claims = ONE.header(), ONE.claims("GET", URL, TOKEN)
    (header if name in ("typ", "alg", "jwk", "crit") else claims)[name] = value
    head = encoded(json.dumps(header).encode())
    with contextlib.suppress(Refused):
        check(_signed_as_is(ONE, encoded(json.dumps(claims).encode()), head))


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use"]), ANY_JSON))
def test_any_key_is_taken_or_refused(changes: dict[str, Any]) -> None:
    for prover in PROVERS:
        head = encoded(json.dumps(prover.header(jwk={**prover.jwk, **changes})).encode())
        body = encoded(json.dumps(prover.claims("GET", URL, TOKEN)).encode())
        with contextlib.suppress(Refused):
            assert check(_signed_as_is(prover, body, head)).jkt == prover.jkt


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_one_other_character_anywhere_spoils_it(at: int, character: str) -> None:
    proof = FIXED
    at %= len(proof)
    if proof[at] != character:
        refuse(proof[:at] + character + proof[at + 1 :])


def _signed_as_is(prover: Prover, body: str, head: str | None = None) -> str:
    """These very parts, rightly signed."""
    head = head or encoded(json.dumps(prover.header()).encode())
    return signed(prover.alg, head, body, prover.key)


FIXED = made()
