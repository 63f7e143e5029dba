"""Keys that clients sign in by (`private_key_jwt`): given with the client, never fetched."""

from __future__ import annotations

from sallyport.model.access import ClientKey, ClientKind, Integration
from sallyport.model.directory import Actor
from sallyport.store import client_keys
from sallyport.store.engine import Tx
from sallyport.tokens.assertion import (
    read_client_keys,
    stored_client_keys,
    write_client_keys,
)
from sallyport.vocab.errors import Reason, Refused


def check_keys(document: object) -> tuple[ClientKey, ...]:
    """The keys of a JWK Set. Raises `Refused` INVALID_INPUT with what to change."""
    try:
        return read_client_keys(document)
    except ValueError as error:
        raise Refused(
            Reason.INVALID_INPUT,
            f"The keys cannot be used: {error}.",
            fix="Give public keys for signatures, as a JWK Set (RFC 7517): P-256, Ed25519 or RSA.",
        ) from None


def keys_of(jwks: str | None) -> tuple[ClientKey, ...]:
    """What is stored; nothing of a client that signs in by a secret, or not at all."""
    return () if jwks is None else stored_client_keys(jwks)


async def put_keys(tx: Tx, actor: Actor, client_id: str, keys: tuple[ClientKey, ...]) -> None:
    """Keys in the place of those before, and of secrets; none of them takes the keys away."""
    names = [each.kid or each.algorithm for each in keys]
    await client_keys.set_keys(
        tx, actor, client_id, write_client_keys(keys) if keys else None, names
    )


def require_confidential(integration: Integration) -> None:
    """Raises `Refused` CONFLICT of a public client."""
    if integration.kind is ClientKind.PUBLIC:
        raise Refused(
            Reason.CONFLICT,
            "A public client cannot keep a private key secret.",
            fix="Make another integration for a client that runs on a server.",
        )
