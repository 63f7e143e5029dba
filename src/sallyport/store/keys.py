"""Signing keys at rest: the private part sealed, the key id in the clear."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from sallyport.model.directory import PLATFORM
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.events import Event

_FIRST_KEY = "first_signing_key"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key; `private` is a JWK as JSON text."""

    kid: str
    private: bytes
    created_at: int


def _purpose(kid: str) -> str:
    return f"signing-key:{kid}"


async def ensure_signing_key(tx: Tx, kid: str, private: bytes) -> bool:
    """Store the platform's first signing key; False where it has one, however many starts race."""
    first = insert_into(tx, schema.platform).values(key=_FIRST_KEY, value=kid)
    if (await tx.run(first.on_conflict_do_nothing())).rowcount == 0:
        return False
    await tx.run(
        insert(schema.signing_key).values(
            kid=kid,
            sealed=tx.sealer.seal(private, _purpose(kid)),
            created_at=tx.now,
            retired_at=None,
        )
    )
    tx.changed(Kind.KEYS, "*")
    tx.audit(Event.KEY_CREATED, PLATFORM, subject=kid)
    return True


async def live_signing_keys(reader: Reader) -> tuple[StoredKey, ...]:
    """Every key that is not retired, oldest first. Raises `Unsealable`."""
    key = schema.signing_key.c
    rows = await reader.all(
        select(key.kid, key.sealed, key.created_at)
        .where(key.retired_at.is_(None))
        .order_by(key.created_at, key.kid)
    )
    return tuple(
        StoredKey(row.kid, reader.sealer.open(row.sealed, _purpose(row.kid)), row.created_at)
        for row in rows
    )
