"""ID tokens of the operator's identity provider, checked (OpenID Connect Core section 3.1.3.7).

The provider is the operator's choice; what it sends is untrusted input all the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from sallyport.tokens.compact import read_object, read_octets
from sallyport.vocab.clock import MINUTE, SECOND

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LARGEST = 16 * 1024
LONGEST_SUBJECT = 255
LEEWAY = MINUTE

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_REGISTRY = jws.JWSRegistry(algorithms=list(ALGORITHMS))
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class BadIdToken(Exception):
    """An ID token that proves nothing; the text is for the operator's log."""


class UnknownKey(BadIdToken):
    """No key at hand fits the token: the provider may have a new one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must have been made for."""

    issuer: str
    client_id: str
    nonce: str


def verify(
    raw: str, keys: Sequence[dict[str, Any]], expected: Expected, now: int
) -> dict[str, Any]:
    """The claims of a good ID token; `now` in milliseconds. Raises `BadIdToken`."""
    if len(raw) > LARGEST or _COMPACT.fullmatch(raw) is None:
        raise BadIdToken("it is no compact JWT, or too long")
    first, second, third = raw.split(".")
    try:
        header, claims = read_object(first), read_object(second)
        signature = read_octets(third)
    except ValueError as error:
        raise BadIdToken(f"it cannot be read: {error}") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadIdToken(f"its alg must be one of {', '.join(ALGORITHMS)}")
    if "crit" in header:
        raise BadIdToken("its header has crit; no extension is known here")
    key = _key_for(header, algorithm, keys)
    verifier = _REGISTRY.get_alg(algorithm)
    try:
        fits = verifier.verify(f"{first}.{second}".encode("ascii"), signature, key)
    except (JoseError, ValueError):
        fits = False
    if not fits:
        raise BadIdToken("its signature does not fit the provider's key")
    _require_claims(claims, expected, now)
    return claims


def _key_for(
    header: dict[str, Any], algorithm: str, keys: Sequence[dict[str, Any]]
) -> RSAKey | ECKey:
    """The one key that the header names; without a name, the only one of its kind."""
    kind = "EC" if algorithm in _CURVES else "RSA"
    kid = header.get("kid")
    fitting = [
        each
        for each in keys
        if each.get("kty") == kind
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and (kind == "RSA" or each.get("crv") == _CURVES[algorithm])
        and (kid is None or each.get("kid") == kid)
    ]
    if not fitting:
        raise UnknownKey("the provider's keys hold none for it")
    if len(fitting) > 1:
        raise BadIdToken("the provider's keys hold several for it")
    members = ("kty", "n", "e") if kind == "RSA" else ("kty", "crv", "x", "y")
    jwk: dict[str, Any] = {name: fitting[0].get(name) for name in members}
    if not all(isinstance(value, str) and len(value) <= 2048 for value in jwk.values()):
        raise BadIdToken("the provider's key for it cannot be used")
    if kind == "RSA" and not 256 <= len(jwk["n"]) * 3 // 4 <= 1024:
        raise BadIdToken("the provider's RSA key must have 2048 to 8192 bits")
    try:
        if kind == "RSA":
            return RSAKey.import_key({**jwk})
        return ECKey.import_key({**jwk})
    except (JoseError, ValueError) as error:
        raise BadIdToken(f"the provider's key for it cannot be used: {error}") from None


def _require_claims(claims: dict[str, Any], expected: Expected, now: int) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadIdToken("its iss is another issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise BadIdToken("its aud is another client")
    party = claims.get("azp")
    if party != expected.client_id and (party is not None or len(audiences) > 1):
        raise BadIdToken("its azp is another client")
    expires_at, made_at = _moment(claims, "exp"), _moment(claims, "iat")
    if now >= expires_at + LEEWAY:
        raise BadIdToken("its exp has passed")
    if made_at > now + LEEWAY:
        raise BadIdToken("its iat is in the future")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY:
        raise BadIdToken("its nbf is in the future")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "surrogatepass"), expected.nonce.encode()
    ):
        raise BadIdToken("its nonce is not that of this sign-in")
    subject_of(claims)


def subject_of(claims: dict[str, Any]) -> str:
    """`sub`: at most 255 printable ASCII characters (section 2). Raises `BadIdToken`."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise BadIdToken("its sub is not a string of 1 to 255 characters")
    if not subject.isascii() or not subject.isprintable():
        raise BadIdToken("its sub is not printable ASCII")
    return subject


def _moment(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise BadIdToken(f"its {name} is not a time in seconds")
    return int(value * SECOND)
