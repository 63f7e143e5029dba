"""Browser sessions and API tokens, by digest."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from sallyport.model.access import ApiToken
from sallyport.model.directory import UNKNOWN_ORIGIN, Account, Session, SessionOrigin
from sallyport.store import schema
from sallyport.store.accounts import account_columns, account_of_row
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.ids import new_id

_session, _token, _account = schema.session.c, schema.api_token.c, schema.account.c

_SESSION = (
    _session.handle,
    _session.account_id,
    _session.method,
    _session.address,
    _session.agent,
    _session.created_at.label("started_at"),
    func.coalesce(_session.last_used_at, _session.created_at).label("used_at"),
)


async def add_session(
    tx: Tx, digest: str, account_id: str, expires_at: int, origin: SessionOrigin = UNKNOWN_ORIGIN
) -> None:
    """Remember a session; those that have expired are forgotten on the way."""
    await tx.run(delete(schema.session).where(_session.expires_at <= tx.now))
    await tx.run(
        insert(schema.session).values(
            id=digest,
            account_id=account_id,
            created_at=tx.now,
            expires_at=expires_at,
            handle=new_id(),
            address=origin.address,
            agent=origin.agent,
            method=origin.method,
            last_used_at=tx.now,
        )
    )


async def session_in_use(reader: Reader, digest: str) -> tuple[Account, Session] | None:
    """A session that has not expired, with its active account."""
    row = await reader.first(
        select(*account_columns(), *_SESSION)
        .join(schema.session, _session.account_id == _account.id)
        .where(_session.id == digest, _session.expires_at > reader.now, _account.active)
    )
    return (account_of_row(row), _session_of(row)) if row is not None else None


async def touch_session(tx: Tx, digest: str, address: str | None) -> None:
    """Remember that a session is used now, and from where."""
    await tx.run(
        update(schema.session)
        .where(_session.id == digest)
        .values(last_used_at=tx.now, address=address)
    )


async def sessions_of(reader: Reader, account_id: str) -> tuple[Session, ...]:
    """The live sessions of an account, the one used last first."""
    rows = await reader.all(
        select(*_SESSION)
        .where(_session.account_id == account_id, _session.expires_at > reader.now)
        .order_by(_session.last_used_at.desc(), _session.handle)
    )
    return tuple(_session_of(row) for row in rows)


async def end_session(tx: Tx, digest: str) -> str | None:
    """Forget a session; returns its account id."""
    found = await tx.run(
        delete(schema.session).where(_session.id == digest).returning(_session.account_id)
    )
    account_id: str | None = found.scalar()
    return account_id


async def end_session_named(tx: Tx, account_id: str, session_id: str) -> bool:
    """Forget a session of the account by its public id; False where it has no such."""
    done = await tx.run(
        delete(schema.session).where(
            _session.handle == session_id, _session.account_id == account_id
        )
    )
    return done.rowcount == 1


async def end_sessions_of(tx: Tx, account_id: str, *, but: str | None = None) -> int:
    """Sign the account out everywhere, save in the session of the digest `but`; how many ended."""
    ended = delete(schema.session).where(_session.account_id == account_id)
    if but is not None:
        ended = ended.where(_session.id != but)
    return (await tx.run(ended)).rowcount


async def add_api_token(tx: Tx, digest: str, account_id: str, label: str) -> ApiToken:
    """Remember an API token by its digest."""
    token = ApiToken(new_id(), account_id, label, tx.now)
    await tx.run(
        insert(schema.api_token).values(
            digest=digest,
            id=token.id,
            account_id=account_id,
            label=label,
            created_at=token.created_at,
        )
    )
    return token


async def account_of_api_token(reader: Reader, digest: str) -> Account | None:
    """The active account of an API token that was not revoked."""
    row = await reader.first(
        select(*account_columns())
        .join(schema.api_token, _token.account_id == _account.id)
        .where(_token.digest == digest, _token.revoked_at.is_(None), _account.active)
    )
    return account_of_row(row) if row is not None else None


async def api_tokens_of(reader: Reader, account_id: str) -> tuple[ApiToken, ...]:
    """The live API tokens of an account, oldest first."""
    rows = await reader.all(
        select(_token.id, _token.label, _token.created_at)
        .where(_token.account_id == account_id, _token.revoked_at.is_(None))
        .order_by(_token.created_at, _token.id)
    )
    return tuple(ApiToken(row.id, account_id, row.label, row.created_at) for row in rows)


async def count_api_tokens(reader: Reader, account_id: str) -> int:
    """How many live API tokens an account has."""
    return int(
        await reader.scalar(
            select(func.count())
            .select_from(schema.api_token)
            .where(_token.account_id == account_id, _token.revoked_at.is_(None))
        )
    )


async def revoke_api_token(tx: Tx, account_id: str, token_id: str) -> bool:
    """End one API token of the account; False where there is no live one."""
    done = await tx.run(
        update(schema.api_token)
        .where(_token.id == token_id, _token.account_id == account_id, _token.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    return done.rowcount == 1


async def revoke_api_tokens_of(tx: Tx, account_id: str) -> None:
    """End every API token of the account."""
    await tx.run(
        update(schema.api_token)
        .where(_token.account_id == account_id, _token.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )


def _session_of(row: Row[Any]) -> Session:
    return Session(
        row.handle,
        row.account_id,
        row.method,
        row.address,
        row.agent,
        row.started_at,
        row.used_at,
    )
