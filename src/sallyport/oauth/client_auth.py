"""Client authentication (RFC 6749 section 2.3): a secret by Basic or in the body, or an assertion.

A client that has keys signs in by a JWT that one of them made (`private_key_jwt`, RFC 7523), and in
no other way. Public clients name themselves and prove nothing here; PKCE and the rotation of
refresh tokens protect what they hold.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import NamedTuple

from sallyport.model.access import ClientKind, Integration
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import INVALID_CLIENT, INVALID_REQUEST, OAuthError
from sallyport.oauth.parameters import Parameters, unquoted
from sallyport.store.client_secrets import live_secret_digests
from sallyport.store.integrations import integration_by_client_id
from sallyport.store.proofs import use_proof
from sallyport.tokens import assertion
from sallyport.vocab import ids
from sallyport.vocab.message import Asked

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
CONFIDENTIAL_METHODS = METHODS[:3]
ASSERTION_ALGORITHMS = assertion.ALGORITHMS
PARAMETERS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})

_WRONG = "The client id or the client secret is not right."
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="sallyport"'}
_HOW = (
    "Send client_id and client_secret, in the body or by Basic; or client_assertion and "
    "client_assertion_type."
)


class _Credentials(NamedTuple):
    """What a client sent to sign in with; neither secret nor assertion from a public one."""

    client_id: str
    secret: str | None = None
    assertion: str | None = None


async def authenticate_client(oauth: OAuth, asked: Asked, parameters: Parameters) -> str:
    """The client id of who calls, its credentials checked. Raises `OAuthError`.

    A public client is told by its id alone (RFC 6749 section 3.2.1).
    """
    sent = _named(oauth, asked, parameters)
    await _prove(oauth, asked, sent)
    return sent.client_id


async def authenticate_to_issue(
    oauth: OAuth, asked: Asked, parameters: Parameters
) -> tuple[str, str | None]:
    """As `authenticate_client`; the client id, and the digest of the secret that came, if any.

    A secret that was live a while ago is not looked up again: the transaction that issues sees
    whether it still is (`while_live`). So this is for what leads to such a transaction alone.
    """
    sent = _named(oauth, asked, parameters)
    presented = None if sent.secret is None else ids.digest(sent.secret)
    if presented is None or not oauth.recognized.knows(sent.client_id, presented):
        await _prove(oauth, asked, sent)
        if presented is not None:
            oauth.recognized.remember(sent.client_id, presented)
    return sent.client_id, presented


def ended(oauth: OAuth, client_id: str) -> OAuthError:
    """The refusal of a client whose secret is live no more, which is forgotten with it."""
    oauth.recognized.forget(client_id)
    return _invalid_client(_WRONG)


async def authenticate_confidential(oauth: OAuth, asked: Asked, parameters: Parameters) -> str:
    """As `authenticate_client`, for endpoints that tell things: public clients are refused."""
    sent = _credentials(asked, parameters)
    if sent.secret is None and sent.assertion is None:
        raise _invalid_client("Public clients cannot use this endpoint.")
    return await authenticate_client(oauth, asked, parameters)


def _named(oauth: OAuth, asked: Asked, parameters: Parameters) -> _Credentials:
    """What the client sent to sign in with, counted as its request. Raises `OAuthError`."""
    sent = _credentials(asked, parameters)
    oauth.limits.charge_client(asked.address, sent.client_id, oauth.store.clock.now())
    return sent


async def _prove(oauth: OAuth, asked: Asked, sent: _Credentials) -> None:
    """Raises `OAuthError` where the client is not who it says."""
    if sent.assertion is not None:
        await _by_assertion(oauth, asked, sent.client_id, sent.assertion)
    elif sent.secret is not None:
        await _by_secret(oauth, sent.client_id, sent.secret)
    else:
        found = await _live(oauth, sent.client_id)
        if found is None or found.kind is not ClientKind.PUBLIC:
            raise _invalid_client(_HOW)


async def _by_secret(oauth: OAuth, client_id: str, secret: str) -> None:
    live: tuple[str, ...] = ()
    if ids.is_uuid(client_id) and ids.is_well_formed(secret, ids.CLIENT_SECRET):
        live = await oauth.store.read(live_secret_digests, client_id)
    presented = ids.digest(secret)
    # Every live digest is compared, so that the time taken does not tell which one it was.
    matches = [hmac.compare_digest(digest, presented) for digest in live]
    if not any(matches):
        raise _invalid_client(_WRONG)


async def _by_assertion(oauth: OAuth, asked: Asked, client_id: str, raw: str) -> None:
    """RFC 7523 section 3; each assertion is taken once."""
    found = await _live(oauth, client_id)
    if found is None or found.jwks is None:
        raise _invalid_client("The client is not known, or has no keys to sign in with.")
    keys = assertion.stored_client_keys(found.jwks)
    audiences = {oauth.issuer, oauth.issuer + "/oauth/token", oauth.issuer + asked.path}
    try:
        checked = assertion.check_assertion(
            raw, client_id, keys, audiences, oauth.store.clock.now()
        )
    except ValueError as error:
        raise _invalid_client(f"The client assertion is not right: {error}.") from None
    if not await oauth.store.write(use_proof, checked.digest, checked.expires_at):
        raise _invalid_client("The client assertion was used before; make a new one, with a jti.")


async def _live(oauth: OAuth, client_id: str) -> Integration | None:
    if not ids.is_uuid(client_id):
        return None
    found = await oauth.store.read(integration_by_client_id, client_id)
    return found if found is not None and found.revoked_at is None else None


def _credentials(asked: Asked, parameters: Parameters) -> _Credentials:
    """What was sent to sign in with, by one method alone (RFC 6749 section 2.3)."""
    headers = asked.values(b"authorization")
    client_id = parameters.get("client_id")
    secret = parameters.get("client_secret")
    by_assertion = bool({"client_assertion", "client_assertion_type"} & parameters.sent)
    if len(headers) + (secret is not None) + by_assertion > 1:
        raise OAuthError(
            INVALID_REQUEST, "Authenticate the client one way, not two (RFC 6749 section 2.3)."
        )
    if by_assertion:
        return _read_assertion(client_id, parameters)
    if headers:
        named, secret = _read_basic(headers[0])
        if client_id is not None and client_id != named:
            raise OAuthError(
                INVALID_REQUEST, "client_id is not the one in the Authorization header."
            )
        return _Credentials(named, secret)
    if client_id is None:
        raise _invalid_client(_HOW)
    return _Credentials(client_id, secret)


def _read_assertion(client_id: str | None, parameters: Parameters) -> _Credentials:
    """RFC 7521 section 4.2: the assertion names the client, and `client_id` may repeat it."""
    raw = parameters.get("client_assertion")
    if raw is None or parameters.get("client_assertion_type") != assertion.TYPE:
        raise OAuthError(
            INVALID_REQUEST,
            f"Send client_assertion, and client_assertion_type as {assertion.TYPE}.",
        )
    try:
        named = assertion.claimed_client(raw)
    except ValueError as error:
        raise _invalid_client(f"The client assertion is not right: {error}.") from None
    if client_id is not None and client_id != named:
        raise _invalid_client("client_id is not the sub of the client assertion.")
    return _Credentials(named, assertion=raw)


def _read_basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client("The Authorization header must use Basic at this endpoint.")
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii")
        client_id, colon, secret = text.partition(":")
        if not colon:
            raise ValueError
        # They are form-encoded before they are joined (RFC 6749 section 2.3.1).
        return unquoted(client_id), unquoted(secret)
    except (binascii.Error, ValueError):
        raise _invalid_client("The Basic credentials could not be read.") from None


def _invalid_client(description: str) -> OAuthError:
    return OAuthError(INVALID_CLIENT, description, status=401, headers=_CHALLENGE)
