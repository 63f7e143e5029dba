"""Browser sessions: a random cookie, stored as its digest, for 12 hours."""

from __future__ import annotations

from sallyport.model.directory import UNKNOWN_ORIGIN, Account, Session, SessionOrigin
from sallyport.store import sessions
from sallyport.store.engine import Reader, Tx
from sallyport.vocab import ids
from sallyport.vocab.clock import HOUR

LIFE = 12 * HOUR


async def start(
    tx: Tx,
    account_id: str,
    *,
    replaces: str | None,
    origin: SessionOrigin = UNKNOWN_ORIGIN,
) -> str:
    """A new session's cookie value. The browser's session before, `replaces`, ends with it."""
    if replaces is not None:
        await end(tx, replaces)
    cookie = ids.new_secret(ids.SESSION)
    await sessions.add_session(tx, ids.digest(cookie), account_id, tx.now + LIFE, origin)
    return cookie


async def account_of(reader: Reader, cookie: str) -> Account | None:
    """The active account behind a live session."""
    found = await in_use(reader, cookie)
    return found[0] if found is not None else None


async def in_use(reader: Reader, cookie: str) -> tuple[Account, Session] | None:
    """A live session and the active account behind it."""
    if not ids.is_well_formed(cookie, ids.SESSION):
        return None
    return await sessions.session_in_use(reader, ids.digest(cookie))


async def touch(tx: Tx, cookie: str, address: str | None) -> None:
    """Remember that the session is used now, from this address."""
    await sessions.touch_session(tx, ids.digest(cookie), address)


async def end(tx: Tx, cookie: str) -> str | None:
    """End the session; returns whose it was, None where there was none."""
    if not ids.is_well_formed(cookie, ids.SESSION):
        return None
    return await sessions.end_session(tx, ids.digest(cookie))
