"""Public keys that callers bring (RFC 7517), and signatures by them: DPoP and client assertions.

Which algorithms are taken where is for those to say; what a key must be for one is told here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sallyport.tokens.compact import read_octets


@dataclass(frozen=True, slots=True)
class Kind:
    """What a public key must be for an algorithm. `lengths`: of its members, in base64url."""

    algorithm: str
    kty: str
    curve: str | None
    lengths: Mapping[str, tuple[int, int]]


_ED25519 = Kind("Ed25519", "OKP", "Ed25519", {"x": (43, 43)})
# A long exponent would make each verification costly.
_RSA: Final = {"n": (342, 683), "e": (4, 6)}
_RSA_BITS = (2048, 4096)
KINDS: Final[Mapping[str, Kind]] = {
    "ES256": Kind("ES256", "EC", "P-256", {"x": (43, 43), "y": (43, 43)}),
    "ES384": Kind("ES384", "EC", "P-384", {"x": (64, 64), "y": (64, 64)}),
    "Ed25519": _ED25519,
    # The older name of the same thing (RFC 9864 section 2.2).
    "EdDSA": _ED25519,
    "PS256": Kind("PS256", "RSA", None, _RSA),
    "RS256": Kind("RS256", "RSA", None, _RSA),
}

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_REGISTRY = jws.JWSRegistry(algorithms=sorted({each.algorithm for each in KINDS.values()}))


def public_members(jwk: object, algorithm: str) -> dict[str, str]:
    """The required members of a public key for `algorithm`; the others say nothing to us.

    Raises `ValueError` with a text to go on with: "jwk has no usable x".
    """
    kind = KINDS[algorithm]
    if not isinstance(jwk, dict):
        raise ValueError("jwk is not a key")
    if not _PRIVATE.isdisjoint(jwk):
        raise ValueError("jwk holds a private key, which must not leave its owner")
    if jwk.get("kty") != kind.kty or (kind.curve is not None and jwk.get("crv") != kind.curve):
        named = kind.kty if kind.curve is None else f"{kind.kty} {kind.curve}"
        raise ValueError(f"jwk is not a public key for {algorithm} ({named})")
    members = {"kty": kind.kty}
    if kind.curve is not None:
        members["crv"] = kind.curve
    for name, (least, most) in kind.lengths.items():
        value = jwk.get(name)
        if not isinstance(value, str) or not least <= len(value) <= most or not _is_octets(value):
            raise ValueError(f"jwk has no usable {name}")
        members[name] = value
    if kind.kty == "RSA":
        bits = int.from_bytes(read_octets(members["n"])).bit_length()
        if not _RSA_BITS[0] <= bits <= _RSA_BITS[1]:
            raise ValueError("jwk is an RSA key that has not 2048 to 4096 bits")
    return members


def is_key(members: Mapping[str, str]) -> bool:
    """Whether these members are a key: a point on its curve, say."""
    try:
        _key(tuple(members.items())).public_key  # noqa: B018
    except (JoseError, ValueError):
        return False
    return True


def is_signed(raw: str, algorithm: str, members: Mapping[str, str]) -> bool:
    """Whether the signature of a compact JWS is by this key."""
    signed, _, signature = raw.rpartition(".")
    # The library's own reader bounds headers more tightly than an RSA key needs.
    verifier = _REGISTRY.get_alg(KINDS[algorithm].algorithm)
    try:
        key = _key(tuple(members.items()))
        return bool(verifier.verify(signed.encode("ascii"), read_octets(signature), key))
    except (JoseError, ValueError):
        return False


@lru_cache(maxsize=1024)
def _key(members: tuple[tuple[str, str], ...]) -> ECKey | OKPKey | RSAKey:
    """A caller's key stays the same for many signatures. Raises `ValueError` and `JoseError`."""
    jwk: Any = dict(members)
    kinds: dict[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
    return kinds[jwk["kty"]].import_key(jwk)


def _is_octets(text: str) -> bool:
    try:
        return bool(read_octets(text))
    except ValueError:
        return False
