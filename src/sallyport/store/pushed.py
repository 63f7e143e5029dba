"""Authorization requests that a client pushed (RFC 9126), kept until somebody has answered them.

Two handles lead to a request, one after the other, and the store holds the digest of the one that
is good now. The client's opens it once; that gives the browser another, which outlives a sign-in
and a reload, and ends with the answer.
"""

from __future__ import annotations

import json

from sqlalchemy import delete, insert, select, update

from sallyport.store import schema
from sallyport.store.engine import Reader, Tx

Pairs = tuple[tuple[str, str], ...]

_request = schema.pushed_request.c


async def push_request(
    tx: Tx, client_id: str, digest: str, parameters: Pairs, expires_at: int
) -> None:
    """Keep a request; `digest` is that of the handle that the client is given."""
    await tx.run(
        insert(schema.pushed_request).values(
            digest=digest,
            client_id=client_id,
            parameters=json.dumps(parameters),
            created_at=tx.now,
            expires_at=expires_at,
            consumed_at=None,
        )
    )


async def open_request(
    tx: Tx, client_id: str, digest: str, opened: str, expires_at: int
) -> Pairs | None:
    """Use up a client's handle: from now on the request is found under the digest `opened` alone.

    Of any number that present the same handle at once, one gets the parameters; the others, and
    whoever names another client, get None.
    """
    row = (
        await tx.run(
            update(schema.pushed_request)
            .where(
                _request.digest == digest,
                _request.client_id == client_id,
                _request.consumed_at.is_(None),
                _request.expires_at > tx.now,
            )
            .values(digest=opened, consumed_at=tx.now, expires_at=expires_at)
            .returning(_request.parameters)
        )
    ).first()
    return None if row is None else _pairs(row.parameters)


async def opened_request(reader: Reader, client_id: str, digest: str, now: int) -> Pairs | None:
    """What is asked in a request that was opened and has no answer yet."""
    text = await reader.scalar(
        select(_request.parameters).where(
            _request.digest == digest,
            _request.client_id == client_id,
            _request.consumed_at.is_not(None),
            _request.expires_at > now,
        )
    )
    return None if text is None else _pairs(text)


async def change_opened_request(tx: Tx, digest: str, parameters: Pairs) -> None:
    """Ask otherwise from now on, in a request that was opened."""
    await tx.run(
        update(schema.pushed_request)
        .where(_request.digest == digest, _request.consumed_at.is_not(None))
        .values(parameters=json.dumps(parameters))
    )


async def end_request(tx: Tx, digest: str) -> bool:
    """A request has been answered. False where it was answered before."""
    ended = await tx.run(
        delete(schema.pushed_request).where(_request.digest == digest, _request.expires_at > tx.now)
    )
    count: int = ended.rowcount
    return count == 1


def _pairs(text: str) -> Pairs:
    return tuple((name, value) for name, value in json.loads(text))
