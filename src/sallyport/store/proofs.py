"""Proofs that are good once: DPoP proofs and whatever else comes with an id of its own."""

from __future__ import annotations

from sallyport.store import schema
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Tx

_used = schema.used_proof.c


async def use_proof(tx: Tx, digest: str, expires_at: int) -> bool:
    """Remember a proof until `expires_at`; False where it is remembered already.

    Of any number that present the same one at once, one gets True.
    """
    taken = await tx.run(
        insert_into(tx, schema.used_proof)
        .values(digest=digest, expires_at=expires_at)
        .on_conflict_do_update(
            index_elements=[_used.digest],
            set_={"expires_at": expires_at},
            where=_used.expires_at <= tx.now,
        )
    )
    count: int = taken.rowcount
    return count == 1
