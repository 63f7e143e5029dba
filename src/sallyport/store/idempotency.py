"""Idempotency keys: what ran under a key, so that the same request runs once.

A key is *claimed* before its function runs and *settled* afterwards, each durably. A claim whose
process died, or whose lease ran out, is `Interrupted`: what it did nobody knows, so it is told and
never run again. Each installation keeps a bounded number of keys and of bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from sallyport.store.dialect import insert_into
from sallyport.store.engine import Tx
from sallyport.store.schema_calls import idempotency, idempotency_usage

_KEY = idempotency.c
_USAGE = idempotency_usage.c

RUNNING, ANSWERED, FAILED, UNKEPT, INTERRUPTED = (
    "running",
    "answered",
    "failed",
    "unkept",
    "interrupted",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The wish to run a request under a key. `digest` is of the key and all that it is scoped to.

    `fingerprint` is of the request; `owner` the process that would run it, until `lease_until` at
    the latest.
    """

    digest: str
    installation_id: str
    fingerprint: str
    owner: str
    lease_until: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Nothing ran under the key: run it, then settle or release it."""


@dataclass(frozen=True, slots=True)
class Running:
    """The first request with the key has no answer yet."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key was used for a request with another fingerprint."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run under the key ended without anybody knowing how."""


@dataclass(frozen=True, slots=True)
class Unkept:
    """The run was answered with `status`, and the answer was too large to keep."""

    status: int


@dataclass(frozen=True, slots=True)
class Full:
    """The installation keeps as many keys as it may."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer of the function that ran under the key."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeptFailure:
    """How the function that ran under the key failed: a kind of `runtime.call.Failure`."""

    kind: str


Settlement = KeptAnswer | KeptFailure
Claiming = Claimed | Running | OtherRequest | Interrupted | Unkept | Full | KeptAnswer | KeptFailure


async def claim_key(tx: Tx, claim: Claim, *, most: int) -> Claiming:
    """Claim a key, or say what stands under it. An installation keeps at most `most` keys."""
    found = await _row(tx, claim.digest)
    if found is not None and found.expires_at > tx.now:
        return _standing(tx, claim, found)
    entries = await _hold(tx, claim.installation_id)
    # Whoever held the row before us may have claimed it.
    found = await _row(tx, claim.digest)
    if found is not None:
        if found.expires_at > tx.now:
            return _standing(tx, claim, found)
        await _give_back(tx, [found])
        await tx.run(delete(idempotency).where(_KEY.digest == claim.digest))
        entries -= 1
    if entries >= most:
        return Full()
    await tx.run(
        insert(idempotency).values(
            digest=claim.digest,
            installation_id=claim.installation_id,
            fingerprint=claim.fingerprint,
            owner=claim.owner,
            started_at=tx.now,
            lease_until=claim.lease_until,
            expires_at=claim.expires_at,
            state=RUNNING,
            size=0,
        )
    )
    await _count(tx, claim.installation_id, entries=1, size=0)
    return Claimed()


async def settle_key(tx: Tx, claim: Claim, outcome: Settlement, *, most_bytes: int) -> bool:
    """Keep how a claimed run ended; False where the claim is no longer ours.

    Where the installation would keep more than `most_bytes`, only the status is kept.
    """
    values: dict[str, Any]
    if isinstance(outcome, KeptFailure):
        values = {"state": FAILED, "failure": outcome.kind, "size": 0}
    else:
        headers = json.dumps(outcome.headers)
        size = len(headers) + len(outcome.body)
        await _hold(tx, claim.installation_id)
        kept = await tx.scalar(
            select(_USAGE.bytes).where(_USAGE.installation_id == claim.installation_id)
        )
        if kept + size > most_bytes:
            values = {"state": UNKEPT, "status": outcome.status, "size": 0}
        else:
            values = {
                "state": ANSWERED,
                "status": outcome.status,
                "headers": headers,
                "body": outcome.body,
                "size": size,
            }
    done = await tx.run(update(idempotency).where(*_ours(claim)).values(**values))
    if done.rowcount and values["size"]:
        await _count(tx, claim.installation_id, entries=0, size=values["size"])
    return bool(done.rowcount)


async def interrupt_key(tx: Tx, claim: Claim) -> None:
    """A claimed run ended and nobody knows how."""
    await tx.run(update(idempotency).where(*_ours(claim)).values(state=INTERRUPTED))


async def release_key(tx: Tx, claim: Claim) -> None:
    """A claimed run never began: the key is as if it had never been sent."""
    await _hold(tx, claim.installation_id)
    gone = await tx.run(delete(idempotency).where(*_ours(claim)))
    if gone.rowcount:
        await _count(tx, claim.installation_id, entries=-1, size=0)


async def interrupt_runs_of(tx: Tx, owner: str) -> int:
    """Every run that a process left behind when it died; returns how many.

    Those of `<owner>/<name>` too, which were processes of that one and died with it.
    """
    whose = or_(_KEY.owner == owner, _KEY.owner.startswith(f"{owner}/", autoescape=True))
    done = await tx.run(
        update(idempotency).where(_KEY.state == RUNNING, whose).values(state=INTERRUPTED)
    )
    return done.rowcount


async def give_back_keys(tx: Tx, digests: Sequence[str]) -> None:
    """Count keys that are about to be deleted as gone."""
    columns = (_KEY.installation_id, _KEY.size)
    await _give_back(tx, await tx.all(select(*columns).where(_KEY.digest.in_(digests))))


async def _give_back(tx: Tx, rows: Sequence[Row[Any]]) -> None:
    entries: Counter[str] = Counter(row.installation_id for row in rows)
    for installation_id in sorted(entries):
        size = sum(row.size for row in rows if row.installation_id == installation_id)
        await _count(tx, installation_id, entries=-entries[installation_id], size=-size)


async def _row(tx: Tx, digest: str) -> Row[Any] | None:
    return await tx.first(select(idempotency).where(_KEY.digest == digest))


def _standing(tx: Tx, claim: Claim, row: Row[Any]) -> Claiming:
    if row.fingerprint != claim.fingerprint:
        return OtherRequest()
    match row.state:
        case "running":
            return Running() if row.lease_until > tx.now else Interrupted()
        case "answered":
            headers = tuple((name, value) for name, value in json.loads(row.headers))
            return KeptAnswer(row.status, headers, row.body)
        case "failed":
            return KeptFailure(row.failure)
        case "unkept":
            return Unkept(row.status)
        case _:
            return Interrupted()


def _ours(claim: Claim) -> tuple[Any, ...]:
    return (
        _KEY.digest == claim.digest,
        _KEY.state == RUNNING,
        _KEY.owner == claim.owner,
    )


async def _hold(tx: Tx, installation_id: str) -> int:
    """Hold the installation's count until the transaction ends; how many keys it keeps."""
    await tx.run(
        insert_into(tx, idempotency_usage)
        .values(installation_id=installation_id, entries=0, bytes=0)
        .on_conflict_do_update(index_elements=["installation_id"], set_={"entries": _USAGE.entries})
    )
    entries: int = await tx.scalar(
        select(_USAGE.entries).where(_USAGE.installation_id == installation_id)
    )
    return entries


async def _count(tx: Tx, installation_id: str, *, entries: int, size: int) -> None:
    await tx.run(
        update(idempotency_usage)
        .where(_USAGE.installation_id == installation_id)
        .values(entries=_USAGE.entries + entries, bytes=_USAGE.bytes + size)
    )
