"""Access tokens: JWTs (RFC 9068) that name a grant and carry no authority by themselves.

There is no table of them. Whoever takes one looks at its grant, family, integration and membership
anew; here it is only checked that this platform made the token, for this platform, and when it
ends.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sallyport.model.access import Grant, VerifiedToken
from sallyport.model.target import split_base_url
from sallyport.scopes.grammar import is_custom, namespaced, split_namespaced
from sallyport.store.changes import Change, Kind
from sallyport.tokens.compact import read_object, read_octets
from sallyport.tokens.keys import ALGORITHM, KeyRing
from sallyport.tokens.proof import is_thumbprint
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import new_id

LIFETIME = 3600 * SECOND
TYPE = "at+jwt"
LARGEST = 8 * 1024

_HEADER = frozenset({"alg", "typ", "kid"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}", re.ASCII)


def mint(
    ring: KeyRing,
    issuer: str,
    grant: Grant,
    family_id: str,
    scopes: Iterable[str],
    now: int,
    expires_at: int,
    jkt: str | None = None,
    resource: str | None = None,
) -> str:
    """A signed access token for `grant` (RFC 9068 section 2.2). Times in milliseconds.

    With `jkt` it is bound to the key of that thumbprint (RFC 9449 section 6.1); with `resource` it
    is for the API with that base URL alone (RFC 8707).
    """
    namespace = grant.namespace
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": issuer if resource is None else resource,
        "sub": grant.account_id,
        "client_id": grant.client_id,
        "iat": now // SECOND,
        "exp": expires_at // SECOND,
        "jti": new_id(),
        "scope": scope_text(namespace, scopes),
        "grant": grant.id,
        "family": family_id,
        "ns": namespace,
    }
    if jkt is not None:
        claims["cnf"] = {"jkt": jkt}
    return ring.signing_at(now).write(TYPE, claims)


def verify(ring: KeyRing, issuer: str, raw: str, now: int) -> VerifiedToken:
    """The claims of a token that we made for ourselves and that has not ended.

    One for an app's API alone is not for us. Raises `Refused` with TOKEN_INVALID, without saying
    what is wrong with it, or TOKEN_EXPIRED.
    """
    token = verify_any(ring, issuer, raw, now)
    if token.audience is not None:
        raise _invalid()
    return token


def verify_any(ring: KeyRing, issuer: str, raw: str, now: int) -> VerifiedToken:
    """As `verify`, of a token that may be for one API alone: the caller looks at `audience`."""
    token = authenticate(ring, issuer, raw)
    require_unexpired(token, now)
    return token


def require_unexpired(token: VerifiedToken, now: int) -> None:
    """Raises `Refused` with TOKEN_EXPIRED from the moment of `expires_at` on."""
    if now >= token.expires_at:
        raise Refused(
            Reason.TOKEN_EXPIRED,
            "The access token has expired.",
            fix="Use the refresh token to get a new one, or ask for consent again.",
        )


def authenticate(ring: KeyRing, issuer: str, raw: str) -> VerifiedToken:
    """As `verify_any`, of a token that may have ended. Raises `Refused` with TOKEN_INVALID."""
    if len(raw) > LARGEST or _COMPACT.fullmatch(raw) is None:
        raise _invalid()
    signed, _, signature = raw.rpartition(".")
    head, _, body = signed.partition(".")
    kid = _kid_of(head)
    try:
        is_ours = kid is not None and ring.verifies(kid, signed.encode(), read_octets(signature))
    except ValueError:
        is_ours = False
    if not is_ours:
        raise _invalid()
    try:
        claims = read_object(body)
    except ValueError:
        raise _invalid() from None
    return _read_claims(claims, issuer)


@lru_cache(maxsize=64)
def _kid_of(head: str) -> str | None:
    """The key that a token says it is signed with, None where it is no token of ours.

    All tokens of one key have the same header, so it is read once.
    """
    try:
        header = read_object(head)
    except ValueError:
        return None
    kid = header.get("kid")
    is_known = header.keys() == _HEADER and header["alg"] == ALGORITHM and header["typ"] == TYPE
    return kid if is_known and isinstance(kid, str) else None


def scope_text(namespace: str, scopes: Iterable[str]) -> str:
    """Scopes as responses and tokens carry them: custom ones namespaced, contract section (f.3)."""
    return _scope_text(namespace, frozenset(scopes))


@lru_cache(maxsize=1024)
def _scope_text(namespace: str, scopes: frozenset[str]) -> str:
    return " ".join(sorted(namespaced(namespace, scope) for scope in scopes))


_LATELY = 2_000


class TokenCache:
    """Tokens that were authenticated, by the SHA-256 of their text; the oldest unused give way.

    Holds what is true of a token for ever under the same ring of keys; another ring, and everything
    is forgotten. Whether a token has ended is asked of the clock at each use.
    """

    def __init__(self, bound: int = 50_000) -> None:
        self._bound = bound
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        # The few that are used all the time, by their text: finding those needs no SHA-256.
        self._lately: dict[str, VerifiedToken] = {}
        self._ring: KeyRing | None = None

    def __len__(self) -> int:
        return len(self._tokens)

    def verify(self, ring: KeyRing, issuer: str, raw: str, now: int) -> VerifiedToken:
        """As `verify_any`. Tokens that are refused are not kept."""
        if ring is not self._ring:
            self._forget()
            self._ring = ring
        known = self._lately.get(raw)
        if known is not None:
            require_unexpired(known, now)
            return known
        if len(raw) > LARGEST:
            raise _invalid()
        key = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).digest()
        token = self._tokens.get(key)
        if token is None:
            token = verify_any(ring, issuer, raw, now)
            self._tokens[key] = token
            if len(self._tokens) > self._bound:
                self._tokens.popitem(last=False)
            return token
        self._tokens.move_to_end(key)
        require_unexpired(token, now)
        if len(self._lately) >= _LATELY:
            self._lately.clear()
        self._lately[raw] = token
        return token

    def _forget(self) -> None:
        self._tokens.clear()
        self._lately.clear()

    def hear(self, change: Change) -> None:
        """Follow the change feed: other keys, other tokens."""
        if change.kind is Kind.KEYS:
            self._forget()


def _read_claims(claims: dict[str, Any], issuer: str) -> VerifiedToken:
    if claims.get("iss") != issuer:
        raise _invalid()
    if "nbf" in claims:
        raise _invalid()
    namespace = _text(claims, "ns")
    return VerifiedToken(
        token_id=_text(claims, "jti"),
        grant_id=_text(claims, "grant"),
        family_id=_text(claims, "family"),
        account_id=_text(claims, "sub"),
        client_id=_text(claims, "client_id"),
        namespace=namespace,
        scopes=_scopes(_text(claims, "scope"), namespace),
        expires_at=_seconds(claims, "exp") * SECOND,
        jkt=_key_of(claims),
        audience=_audience_of(claims, issuer),
    )


def _audience_of(claims: dict[str, Any], issuer: str) -> str | None:
    audience = _text(claims, "aud")
    if audience == issuer:
        return None
    if split_base_url(audience) is None:
        raise _invalid()
    return audience


def _key_of(claims: dict[str, Any]) -> str | None:
    if "cnf" not in claims:
        return None
    cnf = claims["cnf"]
    if not isinstance(cnf, dict) or cnf.keys() != {"jkt"}:
        raise _invalid()
    jkt = _text(cnf, "jkt")
    if not is_thumbprint(jkt):
        raise _invalid()
    return jkt


@lru_cache(maxsize=1024)
def _scopes(text: str, namespace: str) -> frozenset[str]:
    scopes = set()
    for scope in text.split(" "):
        prefix, bare = split_namespaced(scope)
        if prefix != (namespace if is_custom(bare) else None):
            raise _invalid()
        scopes.add(bare)
    return frozenset(scopes)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid()
    return value


def _seconds(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:
        raise _invalid()
    return value


def _invalid() -> Refused:
    return Refused(
        Reason.TOKEN_INVALID,
        "The access token is not one that this platform issued.",
        fix="Get an access token from this platform's token endpoint and send it unchanged.",
    )
