"""DPoP proofs (RFC 9449): who sends a token shows that it holds the key that the token is bound to.

Pure: what is wanted of a proof and the time are passed in. That a proof is used once is for whoever
takes it to see to, by its `digest`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sallyport.tokens.compact import read_object, write_octets
from sallyport.tokens.jwk import is_signed, public_members
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.urls import read_url

TYPE: Final = "dpop+jwt"
LARGEST: Final = 8 * 1024
LONGEST_JTI: Final = 256
AGE: Final = 60 * SECOND
AHEAD: Final = 10 * SECOND
"""A proof is taken from `AHEAD` before the time that it names until `AGE` after it."""


ALGORITHMS: Final = ("ES256", "ES384", "Ed25519", "EdDSA", "PS256")

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}", re.ASCII)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FIX = (
    "Make a new proof for each request (RFC 9449 section 4.2) and send it in one DPoP header; "
    "check htm, htu, the clock and the key."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The request that a proof must be for. `urls` are what `canonical_url` made.

    `access_token` is what comes along with it, None at the token endpoint; `nonces` are those of
    which it must hold one, None where any will do and none too (RFC 9449 section 8).
    """

    method: str
    urls: Collection[str]
    access_token: str | None = None
    nonces: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was checked. `jkt` is the key's thumbprint (RFC 7638).

    `digest` tells the proof from every other. It was made at `made_at` by its maker's clock, and
    is taken until `expires_at`.
    """

    jkt: str
    digest: str
    made_at: int
    expires_at: int


def check_proof(values: Sequence[str], wanted: Wanted, now: int) -> Proof:
    """The one proof among the values of the DPoP header, checked as RFC 9449 section 4.3 lists.

    Raises `Refused` with DPOP_PROOF_INVALID, or, of a proof that lacks a nonce alone, with
    DPOP_NONCE_NEEDED.
    """
    raw = _only(values)
    head, body, _signature = raw.split(".")
    try:
        header, claims = read_object(head), read_object(body)
    except ValueError:
        raise _invalid("The DPoP proof is not a well-formed JWT.") from None
    algorithm = _algorithm_of(header)
    key = _public_members(header, algorithm)
    _require_request(claims, wanted)
    _require_token(claims, wanted.access_token)
    made_at = _require_time(claims, now)
    jti = _jti_of(claims)
    _require_signature(raw, algorithm, key)
    _require_nonce(claims, wanted.nonces)
    jkt = thumbprint(key)
    return Proof(
        jkt=jkt,
        digest=hashlib.sha256(f"dpop {jkt} {jti}".encode("utf-8", "surrogatepass")).hexdigest(),
        made_at=made_at,
        expires_at=made_at + AGE,
    )


def canonical_url(text: str) -> str:
    """A URL without query and fragment, in the normal form of RFC 3986 sections 6.2.2 and 6.2.3.

    Dot segments stay: no request that we serve has any. Raises `ValueError`.
    """
    url = read_url(text)
    return url.origin + _TRIPLET.sub(_plain_triplet, url.target.partition("?")[0])


def is_thumbprint(text: str) -> bool:
    """Whether `text` can be a SHA-256 thumbprint (RFC 7638), as `dpop_jkt` carries it."""
    return _THUMBPRINT.fullmatch(text) is not None


def thumbprint(members: Mapping[str, str]) -> str:
    """The thumbprint of a key's required members (RFC 7638 section 3)."""
    text = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    return write_octets(hashlib.sha256(text.encode("ascii")).digest())


def token_digest(access_token: str) -> str:
    """What `ath` holds for an access token (RFC 9449 section 4.2)."""
    return write_octets(hashlib.sha256(access_token.encode("utf-8", "surrogatepass")).digest())


def _only(values: Sequence[str]) -> str:
    if not values:
        raise _invalid("The request has no DPoP header.")
    if len(values) > 1:
        raise _invalid("The request has more than one DPoP header.")
    raw = values[0]
    if len(raw) > LARGEST:
        raise _invalid(f"The DPoP proof is longer than {LARGEST} characters.")
    if _COMPACT.fullmatch(raw) is None:
        raise _invalid("The DPoP header holds no single JWT.")
    return raw


def _algorithm_of(header: dict[str, Any]) -> str:
    if header.get("typ") != TYPE:
        raise _invalid(f"The DPoP proof's typ is not {TYPE}.")
    if "crit" in header:
        raise _invalid("The DPoP proof's header has crit; no extension is known here.")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _invalid(f"The DPoP proof's alg must be one of {', '.join(ALGORITHMS)}.")
    return algorithm


def _public_members(header: dict[str, Any], algorithm: str) -> dict[str, str]:
    """The required members of the key in the header."""
    if not isinstance(header.get("jwk"), dict):
        raise _invalid("The DPoP proof's header has no jwk.")
    try:
        return public_members(header["jwk"], algorithm)
    except ValueError as error:
        raise _invalid(f"The DPoP proof's {error}.") from None


def _require_request(claims: dict[str, Any], wanted: Wanted) -> None:
    """For this method, and for this address without query and fragment."""
    if claims.get("htm") != wanted.method:
        raise _invalid("The DPoP proof's htm is not the method of this request.")
    htu = claims.get("htu")
    try:
        fits = isinstance(htu, str) and canonical_url(htu) in wanted.urls
    except ValueError:
        fits = False
    if not fits:
        raise _invalid("The DPoP proof's htu is not the address of this request.")


def _require_token(claims: dict[str, Any], access_token: str | None) -> None:
    """For the access token that comes along."""
    if access_token is None:
        return
    ath = claims.get("ath")
    if not isinstance(ath, str) or not hmac.compare_digest(
        ath.encode("utf-8", "surrogatepass"), token_digest(access_token).encode()
    ):
        raise _invalid("The DPoP proof's ath is not the digest of this access token.")


def _require_time(claims: dict[str, Any], now: int) -> int:
    """Made just now. `exp` and `nbf` hold where they are (RFC 7519 section 4.1). Returns `iat`."""
    made_at = _moment(claims, "iat")
    if made_at is None:
        raise _invalid("The DPoP proof has no iat.")
    if made_at > now + AHEAD:
        raise _invalid("The DPoP proof's iat is in the future.")
    if now >= made_at + AGE:
        raise _invalid(f"The DPoP proof's iat is more than {AGE // SECOND} seconds ago.")
    expires_at, valid_from = _moment(claims, "exp"), _moment(claims, "nbf")
    if expires_at is not None and now >= expires_at:
        raise _invalid("The DPoP proof's exp has passed.")
    if valid_from is not None and valid_from > now + AHEAD:
        raise _invalid("The DPoP proof's nbf is in the future.")
    return made_at


def _jti_of(claims: dict[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise _invalid(f"The DPoP proof's jti is not a string of 1 to {LONGEST_JTI} characters.")
    return jti


def _require_signature(raw: str, algorithm: str, members: dict[str, str]) -> None:
    if not is_signed(raw, algorithm, members):
        raise _invalid("The DPoP proof's signature does not fit its jwk.")


def _require_nonce(claims: dict[str, Any], nonces: Collection[str] | None) -> None:
    """Looked at last: who hears that a nonce is missing knows that nothing else is."""
    nonce = claims.get("nonce")
    if nonces is None or (isinstance(nonce, str) and nonce in nonces):
        return
    raise Refused(
        Reason.DPOP_NONCE_NEEDED,
        "The DPoP proof has no nonce of the last minutes.",
        fix="Make a new proof, with the value of the DPoP-Nonce header as nonce.",
    )


def _moment(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate in milliseconds, fractions allowed (RFC 7519 section 2)."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value < 1 << 40:
        raise _invalid(f"The DPoP proof's {name} is not a time in seconds.")
    return int(value * SECOND)


def _plain_triplet(found: re.Match[str]) -> str:
    character = chr(int(found[0][1:], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _invalid(detail: str) -> Refused:
    return Refused(Reason.DPOP_PROOF_INVALID, detail, fix=_FIX)
