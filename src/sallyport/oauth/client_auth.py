"""Client authentication (RFC 6749 section 2.3): a secret by Basic or in the body.

Public clients name themselves and prove nothing here; PKCE and the rotation of refresh tokens
protect what they hold.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from sallyport.model.access import ClientKind
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import INVALID_CLIENT, INVALID_REQUEST, OAuthError
from sallyport.oauth.parameters import Parameters
from sallyport.store.client_secrets import live_secret_digests
from sallyport.store.integrations import integration_by_client_id
from sallyport.vocab import ids

METHODS = ("client_secret_basic", "client_secret_post", "none")
SECRET_METHODS = METHODS[:2]
PARAMETERS = frozenset({"client_id", "client_secret"})

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="sallyport"'}


async def authenticate_client(oauth: OAuth, request: Request, parameters: Parameters) -> str:
    """The client id of who calls, its secret checked. Raises `OAuthError`.

    A public client is told by its id alone (RFC 6749 section 3.2.1).
    """
    client_id, secret = _credentials(request, parameters)
    oauth.limits.charge_client(request, client_id, oauth.store.clock.now())
    if secret is None:
        if not await _is_public(oauth, client_id):
            raise _invalid_client("Send client_id and client_secret, in the body or by Basic.")
        return client_id
    live = await oauth.store.read(live_secret_digests, client_id) if ids.is_uuid(client_id) else ()
    presented = ids.digest(secret)
    # Every live digest is compared, so that the time taken does not tell which one it was.
    matches = [hmac.compare_digest(digest, presented) for digest in live]
    if not any(matches):
        raise _invalid_client("The client id or the client secret is not right.")
    return client_id


async def authenticate_with_secret(oauth: OAuth, request: Request, parameters: Parameters) -> str:
    """As `authenticate_client`, for endpoints that tell things: public clients are refused."""
    client_id = await authenticate_client(oauth, request, parameters)
    if parameters.get("client_secret") is None and not request.headers.getlist("authorization"):
        raise _invalid_client("Public clients cannot use this endpoint.")
    return client_id


async def _is_public(oauth: OAuth, client_id: str) -> bool:
    if not ids.is_uuid(client_id):
        return False
    found = await oauth.store.read(integration_by_client_id, client_id)
    return found is not None and found.revoked_at is None and found.kind is ClientKind.PUBLIC


def _credentials(request: Request, parameters: Parameters) -> tuple[str, str | None]:
    """Client id and secret; no secret where none was sent."""
    headers = request.headers.getlist("authorization")
    client_id = parameters.get("client_id")
    secret = parameters.get("client_secret")
    if not headers:
        if client_id is None:
            raise _invalid_client("Send client_id and client_secret, in the body or by Basic.")
        return client_id, secret
    if len(headers) > 1 or secret is not None:
        raise OAuthError(
            INVALID_REQUEST, "Authenticate the client one way, not two (RFC 6749 section 2.3)."
        )
    named, secret = _read_basic(headers[0])
    if client_id is not None and client_id != named:
        raise OAuthError(INVALID_REQUEST, "client_id is not the one in the Authorization header.")
    return named, secret


def _read_basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client("The Authorization header must use Basic at this endpoint.")
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
        client_id, colon, secret = text.partition(":")
        if not colon:
            raise ValueError
        return _unquoted(client_id), _unquoted(secret)
    except (binascii.Error, ValueError):
        raise _invalid_client("The Basic credentials could not be read.") from None


def _unquoted(text: str) -> str:
    """Credentials are form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def _invalid_client(description: str) -> OAuthError:
    return OAuthError(INVALID_CLIENT, description, status=401, headers=_CHALLENGE)
