"""Client secrets: digests alone; two may live at once, so that clients move over without a gap."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, insert, select, update

from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.engine import P, Reader, T, Tx, Verb
from sallyport.store.links import audit_places
from sallyport.store.locks import hold_integration
from sallyport.store.prepared import Prepared
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

MOST_SECRETS = 2

_integration = schema.integration.c
_secret = schema.integration_secret.c


async def live_secret_digests(reader: Reader, client_id: str) -> tuple[str, ...]:
    """Digests of the secrets that sign the client in now, oldest first; none once it is revoked."""
    rows = await reader.all(_live_secrets(client_id))
    return tuple(row.digest for row in rows)


class SecretEnded(Exception):
    """A client's secret ended since the client proved that it has it."""


async def while_live(
    tx: Tx,
    client_id: str,
    secret_digest: str | None,
    verb: Verb[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a verb for a client that proved to have a secret, if the secret is live still.

    Secret and verb are of one transaction, so who only remembers that a secret was live may let
    the client this far. None: the client did not prove itself by a secret. Raises `SecretEnded`.
    """
    is_live = secret_digest is None or await tx.one(
        _LIVE_SECRET, client_id=client_id, digest=secret_digest
    )
    if not is_live:
        raise SecretEnded
    return await verb(tx, *args, **kwargs)


async def add_secret(tx: Tx, actor: Actor, client_id: str, secret_digest: str) -> None:
    """A second live secret, so that clients can move over.

    Raises `Refused` NOT_FOUND, or CONFLICT where two are live, or the client signs in by keys.
    """
    await hold_integration(tx, client_id)
    if await tx.scalar(select(_integration.jwks).where(_integration.client_id == client_id)):
        raise Refused(
            Reason.CONFLICT,
            "The client signs in by its keys, and by nothing else.",
            fix="Take the keys away first, if it is to sign in by a secret.",
        )
    live = await tx.all(_live_secrets(client_id))
    if len(live) >= MOST_SECRETS:
        raise Refused(
            Reason.CONFLICT,
            "Two secrets of this integration are live already.",
            fix="End the previous secret first, then make a new one.",
        )
    # Which secret is the previous one is told by time alone, so no two may share a millisecond.
    newest = max((row.created_at for row in live), default=0)
    await store_secret(tx, client_id, secret_digest, max(tx.now, newest + 1))
    await audit_places(tx, Event.INTEGRATION_SECRET_ROTATED, actor, client_id, added=True)


async def end_previous_secret(tx: Tx, actor: Actor, client_id: str) -> bool:
    """End the older of two live secrets. False where one alone is live. Raises `Refused`."""
    await hold_integration(tx, client_id)
    live = await tx.all(_live_secrets(client_id))
    if len(live) < MOST_SECRETS:
        return False
    await tx.run(
        update(schema.integration_secret)
        .where(_secret.id.in_([row.id for row in live[:-1]]))
        .values(revoked_at=tx.now)
    )
    await audit_places(tx, Event.INTEGRATION_SECRET_ROTATED, actor, client_id, ended_previous=True)
    return True


async def store_secret(tx: Tx, client_id: str, secret_digest: str, created_at: int) -> None:
    """Write a secret's row; by what makes an integration or a further secret."""
    await tx.run(
        insert(schema.integration_secret).values(
            id=new_id(),
            client_id=client_id,
            digest=secret_digest,
            created_at=created_at,
            revoked_at=None,
        )
    )


async def end_secrets(tx: Tx, client_id: str) -> None:
    """End every secret of an integration that ends."""
    await tx.run(
        update(schema.integration_secret)
        .where(_secret.client_id == client_id, _secret.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )


def _live_secrets(client_id: str | BindParameter[str]) -> Select[Any]:
    return (
        select(_secret.id, _secret.digest, _secret.created_at)
        .join(schema.integration, _integration.client_id == _secret.client_id)
        .where(
            _secret.client_id == client_id,
            _secret.revoked_at.is_(None),
            _integration.revoked_at.is_(None),
        )
        .order_by(_secret.created_at)
    )


_LIVE_SECRET = Prepared(
    _live_secrets(bindparam("client_id")).where(_secret.digest == bindparam("digest")),
    is_shared=True,
)
