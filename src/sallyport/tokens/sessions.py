"""Browser sessions: a random cookie, stored as its digest, for 12 hours."""

from __future__ import annotations

from sallyport.model.directory import Account
from sallyport.store import sessions
from sallyport.store.engine import Reader, Tx
from sallyport.vocab import ids
from sallyport.vocab.clock import HOUR

LIFE = 12 * HOUR


async def start(tx: Tx, account_id: str, *, replaces: str | None) -> str:
    """A new session's cookie value. The browser's session before, `replaces`, ends with it."""
    if replaces is not None:
        await end(tx, replaces)
    cookie = ids.new_secret(ids.SESSION)
    await sessions.add_session(tx, ids.digest(cookie), account_id, tx.now + LIFE)
    return cookie


async def account_of(reader: Reader, cookie: str) -> Account | None:
    """The active account behind a live session."""
    if not ids.is_well_formed(cookie, ids.SESSION):
        return None
    return await sessions.account_of_session(reader, ids.digest(cookie))


async def end(tx: Tx, cookie: str) -> str | None:
    """End the session; returns whose it was, None where there was none."""
    if not ids.is_well_formed(cookie, ids.SESSION):
        return None
    return await sessions.end_session(tx, ids.digest(cookie))
