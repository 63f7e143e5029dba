"""Client assertions: a client signs in by a JWT that its own key made (RFC 7523 section 3).

The keys lie with the client's registration, and no address is ever asked for them. Pure: keys,
audiences and the time are passed in. That an assertion is used once is for whoever takes it to see
to, by its `digest`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sallyport.model.access import ClientKey
from sallyport.tokens.compact import read_object
from sallyport.tokens.jwk import is_key, is_signed, public_members
from sallyport.vocab.clock import SECOND

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("ES256", "EdDSA", "Ed25519", "RS256", "PS256")
LARGEST: Final = 8 * 1024
LONGEST_LIFE: Final = 3600 * SECOND
AHEAD: Final = 10 * SECOND
MOST_KEYS: Final = 10

_TYPES = (None, "JWT", "client-authentication+jwt")
_BY_TYPE = {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256"}
_SAME = {"Ed25519": "EdDSA"}
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_KID = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that was checked; `digest` tells it from every other until `expires_at`."""

    digest: str
    expires_at: int


def read_client_keys(document: object) -> tuple[ClientKey, ...]:
    """The keys of a JWK Set (RFC 7517 section 5), each for one algorithm.

    That is what its `alg` says, or what is usual for its type. Raises `ValueError` with what to
    change.
    """
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise ValueError(f'it must be a JWK Set, {{"keys": [...]}}, of 1 to {MOST_KEYS} keys')
    read = tuple(_client_key(each, at) for at, each in enumerate(keys, 1))
    kids = [each.kid for each in read]
    if len(read) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise ValueError("each of several keys must have a kid of its own")
    return read


def write_client_keys(keys: Sequence[ClientKey]) -> str:
    """What is stored: nothing but what was understood."""
    written = [
        {**({"kid": each.kid} if each.kid else {}), "alg": each.algorithm, **dict(each.members)}
        for each in keys
    ]
    return json.dumps({"keys": written}, separators=(",", ":"))


@lru_cache(maxsize=1024)
def stored_client_keys(text: str) -> tuple[ClientKey, ...]:
    """The keys of what `write_client_keys` wrote."""
    return read_client_keys(json.loads(text))


def claimed_client(raw: str) -> str:
    """Who says to be speaking; nothing is checked yet. Raises `ValueError`."""
    _header, claims = _parts(raw)
    return str(claims.get("sub") or "")


def check_assertion(
    raw: str, client_id: str, keys: Sequence[ClientKey], audiences: Collection[str], now: int
) -> Assertion:
    """An assertion of this client's, by one of its keys, for us, in time (RFC 7523 section 3).

    Raises `ValueError` with what is wrong, in words for its maker.
    """
    header, claims = _parts(raw)
    key = _key_of(header, keys)
    if not is_signed(raw, key.algorithm, dict(key.members)):
        raise ValueError("its signature does not fit the client's key")
    for name in ("iss", "sub"):
        if claims.get(name) != client_id:
            raise ValueError(f"its {name} is not the client id")
    _require_audience(claims, audiences)
    expires_at = _require_time(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 256:
        raise ValueError("its jti is not a string of 1 to 256 characters")
    text = f"assertion {client_id} {jti}".encode("utf-8", "surrogatepass")
    return Assertion(hashlib.sha256(text).hexdigest(), expires_at)


def _parts(raw: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(raw) > LARGEST or _COMPACT.fullmatch(raw) is None:
        raise ValueError("it is not a signed JWT")
    head, body, _signature = raw.split(".")
    try:
        return read_object(head), read_object(body)
    except ValueError:
        raise ValueError("it is not a well-formed JWT") from None


def _key_of(header: dict[str, Any], keys: Sequence[ClientKey]) -> ClientKey:
    """The one key that the header means; an algorithm is the key's, and never the header's."""
    if header.get("typ") not in _TYPES:
        raise ValueError("its typ is neither JWT nor client-authentication+jwt")
    if "crit" in header:
        raise ValueError("its header has crit; no extension is known here")
    kid = header.get("kid")
    alone = len(keys) == 1
    fitting = [k for k in keys if k.kid == kid or (alone and None in (kid, k.kid))]
    if kid is None and len(keys) > 1:
        raise ValueError("its header has no kid, and the client has several keys")
    if len(fitting) != 1:
        raise ValueError("its kid names none of the client's keys")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or _plain(algorithm) != _plain(fitting[0].algorithm):
        raise ValueError(f"its alg is not the key's, {fitting[0].algorithm}")
    return fitting[0]


def _require_audience(claims: dict[str, Any], audiences: Collection[str]) -> None:
    """For us and for nobody else, so that nobody to whom it was sent can bring it here."""
    named = claims.get("aud")
    several = named if isinstance(named, list) else [named]
    if not several or not all(isinstance(each, str) and each in audiences for each in several):
        raise ValueError("its aud is neither the issuer nor the address of this endpoint")


def _require_time(claims: dict[str, Any], now: int) -> int:
    """`exp` is there and near; `iat` and `nbf` are in the past. Returns `exp` in milliseconds."""
    expires_at = _moment(claims, "exp")
    if expires_at is None:
        raise ValueError("it has no exp")
    if now >= expires_at:
        raise ValueError("its exp has passed")
    if expires_at > now + LONGEST_LIFE + AHEAD:
        raise ValueError(f"its exp is more than {LONGEST_LIFE // SECOND} seconds from now")
    for name in ("iat", "nbf"):
        moment = _moment(claims, name)
        if moment is not None and moment > now + AHEAD:
            raise ValueError(f"its {name} is in the future")
    return expires_at


def _moment(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate in milliseconds, fractions allowed (RFC 7519 section 2)."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value < 1 << 40:
        raise ValueError(f"its {name} is not a time in seconds")
    return int(value * SECOND)


def _client_key(jwk: object, at: int) -> ClientKey:
    if not isinstance(jwk, dict):
        raise ValueError(f"key {at} is not an object")
    kty, algorithm, kid = jwk.get("kty"), jwk.get("alg"), jwk.get("kid")
    if algorithm is None and isinstance(kty, str):
        algorithm = _BY_TYPE.get(kty)
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ValueError(f"key {at} must be for one of {', '.join(ALGORITHMS)}")
    if jwk.get("use") not in (None, "sig"):
        raise ValueError(f"key {at} has a use that is not sig")
    if kid is not None and (not isinstance(kid, str) or _KID.fullmatch(kid) is None):
        raise ValueError(f"key {at} has a kid that is not 1 to 128 visible characters")
    try:
        members = public_members(jwk, algorithm)
    except ValueError as error:
        raise ValueError(f"key {at}: {error}") from None
    if not is_key(members):
        raise ValueError(f"key {at} is not a valid {kty} key")
    return ClientKey(kid, algorithm, tuple(members.items()))


def _plain(algorithm: str) -> str:
    return _SAME.get(algorithm, algorithm)
