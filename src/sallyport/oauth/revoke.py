"""`/oauth/revoke` (RFC 7009): a client gives back a token, and all tokens of its family end."""

from __future__ import annotations

from sallyport.model.directory import Actor
from sallyport.oauth import client_auth
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import (
    INVALID_REQUEST,
    NO_STORE,
    UNAUTHORIZED_CLIENT,
    OAuthError,
    error_reply,
)
from sallyport.oauth.parameters import read_body
from sallyport.store.grants import end_family
from sallyport.store.token_store import family_of_refresh
from sallyport.tokens.access import authenticate
from sallyport.vocab import ids
from sallyport.vocab.errors import Refused
from sallyport.vocab.events import Event
from sallyport.vocab.message import Asked, Reply

KNOWN = client_auth.PARAMETERS | {"token", "token_type_hint"}


async def revoke(oauth: OAuth, asked: Asked, body: bytes | None) -> Reply:
    """200 when the token is dead, also where it was unknown or dead before (section 2.2)."""
    try:
        parameters = read_body(asked, body, KNOWN)
        client_id = await client_auth.authenticate_client(oauth, asked, parameters)
        token = parameters.get("token")
        if token is None:
            raise OAuthError(INVALID_REQUEST, "token is missing.")
        found = await _family_of(oauth, token)
        if found is not None:
            family_id, owner = found
            if owner != client_id:
                raise OAuthError(UNAUTHORIZED_CLIENT, "The token belongs to another client.")
            actor = Actor(account_id=None, name=client_id, address=asked.address or None)
            why = "The client gave it back"
            await oauth.store.write(end_family, actor, family_id, Event.TOKEN_REVOKED, why)
    except OAuthError as error:
        return error_reply(error)
    return Reply(200, NO_STORE, b"")


async def _family_of(oauth: OAuth, token: str) -> tuple[str, str] | None:
    """Family and client of a refresh or access token; the hint is not needed to tell them apart."""
    if ids.is_well_formed(token, ids.REFRESH_TOKEN):
        return await oauth.store.read(family_of_refresh, ids.digest(token))
    try:
        verified = authenticate(oauth.keys.ring, oauth.issuer, token)
    except Refused:
        return None
    return verified.family_id, verified.client_id
