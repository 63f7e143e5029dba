"""The public keys that a client signs in by, in the place of secrets."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.client_secrets import end_secrets
from sallyport.store.engine import Tx
from sallyport.store.links import audit_places
from sallyport.store.locks import hold_integration
from sallyport.vocab.events import Event


async def set_keys(
    tx: Tx, actor: Actor, client_id: str, jwks: str | None, names: Sequence[str]
) -> None:
    """Have a client sign in by these keys alone, a JWK Set as text; its secrets end. Audited.

    None takes the keys away, and leaves it without a way in until it is given a secret. Raises
    `Refused` NOT_FOUND.
    """
    await hold_integration(tx, client_id)
    await tx.run(
        update(schema.integration)
        .where(schema.integration.c.client_id == client_id)
        .values(jwks=jwks)
    )
    if jwks is not None:
        await end_secrets(tx, client_id)
    tx.changed(Kind.INTEGRATION, client_id)
    await audit_places(tx, Event.INTEGRATION_CHANGED, actor, client_id, keys=list(names))
