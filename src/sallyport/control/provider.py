"""The operator's identity provider, over HTTP: what it offers, its keys, a code for its tokens.

Answers are bounded in size and time, redirects are not followed, and no address that the provider
names is used unless it speaks TLS (or the issuer itself does not, on this very host).
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from sallyport.model.claims import ClaimMapping
from sallyport.tokens.id_token import BadIdToken, Expected, UnknownKey, subject_of, verify

LARGEST_ANSWER = 256 * 1024
TIMEOUT_S = 10.0
KEPT_S = 3600.0
"""How long what the provider says of itself, and its keys, are used."""
KEYS_APART_S = 30.0
"""Keys are asked for again at most this often, however many tokens name keys that are unknown."""


class ProviderFailed(Exception):
    """The provider did not answer as it must; the text is for the operator's log."""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """`name` is what the button on the sign-in page says after "Sign in with"."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    name: str
    mapping: ClaimMapping
    passwords_for_all: bool = True


@dataclass(frozen=True, slots=True)
class _Offer:
    """The part of the provider's metadata that is used here."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    names_issuer: bool
    posts_secret: bool


class Provider:
    """One provider; what it said is kept for a while."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._offer: tuple[_Offer, float] | None = None
        self._keys: tuple[list[dict[str, Any]], float] | None = None
        self._one = asyncio.Lock()

    async def authorization_url(
        self, redirect_uri: str, state: str, nonce: str, challenge: str, *, anew: bool
    ) -> str:
        """Where the browser goes to sign in, `anew` also if it is signed in there.

        Raises `ProviderFailed`.
        """
        offer = await self._offered()
        query = urlencode(
            {
                **({"prompt": "login"} if anew else {}),
                "response_type": "code",
                "client_id": self.config.client_id,
                "redirect_uri": redirect_uri,
                "scope": self.config.scopes,
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if urlsplit(offer.authorization).query else "?"
        return f"{offer.authorization}{joint}{query}"

    async def require_issuer(self, named: str | None) -> None:
        """The answer is of this provider (RFC 9207). Raises `ProviderFailed`."""
        if named is None and (await self._offered()).names_issuer:
            raise ProviderFailed("the answer has no iss, which the provider says it always has")
        if named is not None and named != self.config.issuer:
            raise ProviderFailed("the answer's iss is another issuer")

    async def claims_for(
        self, code: str, verifier: str, redirect_uri: str, nonce: str, now: int
    ) -> dict[str, Any]:
        """What the provider says of the person behind a code. Raises `ProviderFailed`."""
        offer = await self._offered()
        tokens = await self._redeem(offer, code, verifier, redirect_uri)
        raw = tokens.get("id_token")
        if not isinstance(raw, str):
            raise ProviderFailed("the token response has no id_token")
        expected = Expected(self.config.issuer, self.config.client_id, nonce)
        try:
            claims = await self._verified(offer, raw, expected, now)
            return await self._with_userinfo(offer, tokens, claims)
        except BadIdToken as error:
            raise ProviderFailed(f"the ID token proves nothing: {error}") from None

    # ---- what it offers

    async def _offered(self) -> _Offer:
        async with self._one:
            if self._offer is not None and time.monotonic() - self._offer[1] < KEPT_S:
                return self._offer[0]
            issuer = self.config.issuer
            said = await _ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if said.get("issuer") != issuer:
                raise ProviderFailed("its metadata names another issuer")
            methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            offer = _Offer(
                authorization=self._address(said, "authorization_endpoint"),
                token=self._address(said, "token_endpoint"),
                keys=self._address(said, "jwks_uri"),
                userinfo=(
                    self._address(said, "userinfo_endpoint")
                    if said.get("userinfo_endpoint") is not None
                    else None
                ),
                names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
                posts_secret=isinstance(methods, list) and "client_secret_basic" not in methods,
            )
            self._offer = offer, time.monotonic()
            return offer

    def _address(self, said: dict[str, Any], name: str) -> str:
        value = said.get(name)
        if not isinstance(value, str) or not may_be_asked(value, self.config.issuer):
            raise ProviderFailed(f"its metadata has no {name} that can be used")
        return value

    # ---- its keys

    async def _verified(
        self, offer: _Offer, raw: str, expected: Expected, now: int
    ) -> dict[str, Any]:
        asked_at = time.monotonic()
        try:
            return verify(raw, await self._known_keys(offer), expected, now)
        except UnknownKey:
            return verify(raw, await self._known_keys(offer, newer_than=asked_at), expected, now)

    async def _known_keys(
        self, offer: _Offer, newer_than: float | None = None
    ) -> list[dict[str, Any]]:
        async with self._one:
            if self._keys is not None:
                keys, at = self._keys
                age = time.monotonic() - at
                is_fresh = at >= newer_than if newer_than is not None else age < KEPT_S
                if is_fresh or age < KEYS_APART_S:
                    return keys
            said = await _ask("GET", offer.keys)
            held = said.get("keys")
            if not isinstance(held, list) or len(held) > 100:
                raise ProviderFailed("its keys are no list of at most 100")
            keys = [each for each in held if isinstance(each, dict)]
            self._keys = keys, time.monotonic()
            return keys

    # ---- its tokens

    async def _redeem(
        self, offer: _Offer, code: str, verifier: str, redirect_uri: str
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        client, secret = self.config.client_id, self.config.client_secret
        if not secret:
            return await _ask("POST", offer.token, data={**form, "client_id": client})
        if offer.posts_secret:
            credentials = {"client_id": client, "client_secret": secret}
            return await _ask("POST", offer.token, data={**form, **credentials})
        # Both are form-encoded before they are joined (RFC 6749 section 2.3.1).
        basic = httpx.BasicAuth(_encoded(client), _encoded(secret))
        return await _ask("POST", offer.token, data=form, auth=basic)

    async def _with_userinfo(
        self, offer: _Offer, tokens: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims, with those that the provider tells only there (Core section 5.3)."""
        token = tokens.get("access_token")
        if offer.userinfo is None or not isinstance(token, str) or not token.isascii():
            return claims
        told = await _ask("GET", offer.userinfo, headers={"Authorization": f"Bearer {token}"})
        if told.get("sub") != subject_of(claims):
            raise ProviderFailed("its userinfo is of another person")
        return {**told, **claims}


def may_be_asked(address: str, issuer: str) -> bool:
    """Whether an address may be used: over TLS, or, as the issuer, on this host without."""
    try:
        parts = urlsplit(address)
        plain_issuer = urlsplit(issuer).scheme == "http"
        if parts.scheme == "http":
            return plain_issuer and is_this_host(parts.hostname)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def is_this_host(name: str | None) -> bool:
    """Whether a host name is one of the loopback interface."""
    return name in ("localhost", "127.0.0.1", "::1")


def _encoded(text: str) -> str:
    return urlencode({"": text})[1:]


async def _ask(method: str, address: str, **request: Any) -> dict[str, Any]:
    """One request; the JSON object that answers it. Raises `ProviderFailed`."""
    where = f"{method} {address}"
    headers = {"Accept": "application/json", **request.pop("headers", {})}
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S) as client,
            client.stream(method, address, headers=headers, **request) as answer,
        ):
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise ProviderFailed(f"{where}: the answer is too large")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise ProviderFailed(f"{where}: {type(error).__name__} {error}") from None
    if answer.status_code != 200:
        raise ProviderFailed(f"{where}: status {answer.status_code}: {body[:300]!r}")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderFailed(f"{where}: the answer is no JSON") from None
    if not isinstance(said, dict):
        raise ProviderFailed(f"{where}: the answer is no JSON object")
    return said
