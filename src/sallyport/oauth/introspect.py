"""`/oauth/introspect` (RFC 7662): a client asks what one of its own tokens is good for now."""

from __future__ import annotations

from typing import Any

from sallyport.oauth import client_auth
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import INVALID_REQUEST, OAuthError, error_reply, json_reply
from sallyport.oauth.parameters import read_body
from sallyport.store.engine import Reader
from sallyport.store.grants import family_by_id
from sallyport.store.standing import standing_of
from sallyport.store.token_store import LiveRefresh, live_refresh
from sallyport.tokens.access import scope_text, verify_any
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Refused
from sallyport.vocab.message import Asked, Reply

KNOWN = client_auth.PARAMETERS | {"token", "token_type_hint"}
INACTIVE: dict[str, Any] = {"active": False}


async def introspect(oauth: OAuth, asked: Asked, body: bytes | None) -> Reply:
    """`{"active": false}` and nothing else for whatever is not a live token of the caller's.

    So nobody learns of another client's tokens, not even that they exist (section 2.2).
    """
    try:
        parameters = read_body(asked, body, KNOWN)
        client_id = await client_auth.authenticate_confidential(oauth, asked, parameters)
        token = parameters.get("token")
        if token is None:
            raise OAuthError(INVALID_REQUEST, "token is missing.")
        told = await _told(oauth, client_id, token)
    except OAuthError as error:
        return error_reply(error)
    return json_reply(INACTIVE if told is None else told)


async def _told(oauth: OAuth, client_id: str, token: str) -> dict[str, Any] | None:
    if ids.is_well_formed(token, ids.REFRESH_TOKEN):
        return await _refresh_token(oauth, client_id, token)
    return await _access_token(oauth, client_id, token)


async def _access_token(oauth: OAuth, client_id: str, raw: str) -> dict[str, Any] | None:
    """What the token opens now: its own scopes, as far as consent and link still allow them."""
    try:
        token = verify_any(oauth.keys.ring, oauth.issuer, raw, oauth.store.clock.now())
    except Refused:
        return None
    if token.client_id != client_id:
        return None
    scopes = token.scopes & await oauth.store.read(_live_scopes, token.grant_id, token.family_id)
    if not scopes:
        return None
    told = {
        "active": True,
        "scope": scope_text(token.namespace, scopes),
        "client_id": client_id,
        "sub": token.account_id,
        "token_type": "Bearer" if token.jkt is None else "DPoP",
        "exp": token.expires_at // SECOND,
        "iss": oauth.issuer,
        "aud": token.audience or oauth.issuer,
        "jti": token.token_id,
    }
    return told if token.jkt is None else {**told, "cnf": {"jkt": token.jkt}}


async def _refresh_token(oauth: OAuth, client_id: str, raw: str) -> dict[str, Any] | None:
    found: LiveRefresh | None = await oauth.store.read(live_refresh, ids.digest(raw))
    if found is None or found.grant.client_id != client_id:
        return None
    if oauth.store.clock.now() >= found.expires_at:
        return None
    scopes = found.scopes & await oauth.store.read(_live_scopes, found.grant.id, found.family_id)
    if not scopes:
        return None
    return {
        "active": True,
        "scope": scope_text(found.grant.namespace, scopes),
        "client_id": client_id,
        "sub": found.grant.account_id,
        "exp": found.expires_at // SECOND,
        "iss": oauth.issuer,
    }


async def _live_scopes(reader: Reader, grant_id: str, family_id: str) -> frozenset[str]:
    """The scopes that stand behind a token; none where anything behind it has ended."""
    family = await family_by_id(reader, family_id)
    standing = await standing_of(reader, grant_id)
    if family is None or family.revoked_at is not None:
        return frozenset()
    if standing is None or standing.grant.revoked_at is not None:
        return frozenset()
    if not standing.integration_alive or not standing.member:
        return frozenset()
    return standing.allowed()
