"""Signing keys at rest: the private part sealed, the key id and its times in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, insert, or_, select, update

from sallyport.model.directory import PLATFORM, Actor
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

_FIRST_KEY = "first_signing_key"
_key, _platform = schema.signing_key.c, schema.platform.c


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """When a signing key was made, signs from, and leaves the key set (None: not planned)."""

    kid: str
    created_at: int
    signs_from: int
    retired_at: int | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key; `private` is a JWK as JSON text."""

    times: KeyTimes
    private: bytes


def _purpose(kid: str) -> str:
    return f"signing-key:{kid}"


async def ensure_signing_key(tx: Tx, kid: str, private: bytes) -> bool:
    """Store the platform's first signing key; False where it has one, however many starts race."""
    first = insert_into(tx, schema.platform).values(key=_FIRST_KEY, value=kid)
    if (await tx.run(first.on_conflict_do_nothing())).rowcount == 0:
        return False
    await _add(tx, PLATFORM, kid, private, tx.now)
    return True


async def rotate_signing_key(
    tx: Tx, actor: Actor, kid: str, private: bytes, *, signs_from: int, others_end: int
) -> None:
    """Add a key that signs from `signs_from`; those before it leave the key set at `others_end`.

    Raises `Refused` CONFLICT while an earlier rotation waits for its key to sign, so that two
    rotations at once make one key.
    """
    await _hold(tx)
    live = await live_key_times(tx)
    if any(each.signs_from > tx.now for each in live):
        raise Refused(
            Reason.CONFLICT,
            "A rotation is under way: its key does not sign yet.",
            fix="Wait until it does; `sallyport operator keys list` says when.",
        )
    await tx.run(
        update(schema.signing_key).where(_key.retired_at.is_(None)).values(retired_at=others_end)
    )
    await _add(tx, actor, kid, private, signs_from)


async def retire_signing_key(tx: Tx, actor: Actor, kid: str) -> None:
    """Take a key out of the key set now: every token that it signed is refused from now on.

    Raises `Refused` NOT_FOUND, or CONFLICT where no other key signs.
    """
    await _hold(tx)
    live = await live_key_times(tx)
    if all(each.kid != kid for each in live):
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such live signing key.",
            fix="`sallyport operator keys list` shows them.",
        )
    if not any(each.kid != kid and each.signs_from <= tx.now for each in live):
        raise Refused(
            Reason.CONFLICT,
            "No other key signs yet, so this one cannot go.",
            fix="Make one that signs at once: `sallyport operator keys rotate --now`.",
        )
    await tx.run(update(schema.signing_key).where(_key.kid == kid).values(retired_at=tx.now))
    tx.changed(Kind.KEYS, "*")
    tx.audit(Event.KEY_RETIRED, actor, subject=kid)


async def live_key_times(reader: Reader) -> tuple[KeyTimes, ...]:
    """Every key that verifies now, in the order in which they sign."""
    return tuple(_times(row) for row in await reader.all(_live(reader)))


async def live_signing_keys(reader: Reader) -> tuple[StoredKey, ...]:
    """As `live_key_times`, with the keys themselves. Raises `Unsealable`."""
    rows = await reader.all(_live(reader).add_columns(_key.sealed))
    return tuple(
        StoredKey(_times(row), reader.sealer.open(row.sealed, _purpose(row.kid))) for row in rows
    )


def _live(reader: Reader) -> Select[Any]:
    return (
        select(_key.kid, _key.created_at, _key.signs_from, _key.retired_at)
        .where(or_(_key.retired_at.is_(None), _key.retired_at > reader.now))
        .order_by(_key.signs_from, _key.created_at, _key.kid)
    )


def _times(row: Any) -> KeyTimes:
    return KeyTimes(row.kid, row.created_at, row.signs_from, row.retired_at)


async def _hold(tx: Tx) -> None:
    """Changes of the key set happen one after another."""
    await tx.first(select(_platform.key).where(_platform.key == _FIRST_KEY).with_for_update())


async def _add(tx: Tx, actor: Actor, kid: str, private: bytes, signs_from: int) -> None:
    await tx.run(
        insert(schema.signing_key).values(
            kid=kid,
            sealed=tx.sealer.seal(private, _purpose(kid)),
            created_at=tx.now,
            signs_from=signs_from,
            retired_at=None,
        )
    )
    tx.changed(Kind.KEYS, "*")
    tx.audit(Event.KEY_CREATED, actor, subject=kid, signs_from=signs_from)
