"""Who a person is at an identity provider: keyed by issuer and subject, by nothing else."""

from __future__ import annotations

from sqlalchemy import insert, select

from sallyport.model.directory import Account
from sallyport.store import schema
from sallyport.store.accounts import account_columns, account_of_row
from sallyport.store.engine import Reader, Tx

_identity, _account = schema.external_identity.c, schema.account.c


async def account_of_identity(reader: Reader, issuer: str, subject: str) -> Account | None:
    """The account, active or not, that signs in as this subject."""
    row = await reader.first(
        select(*account_columns())
        .join(schema.external_identity, _identity.account_id == _account.id)
        .where(_identity.issuer == issuer, _identity.subject == subject)
    )
    return account_of_row(row) if row is not None else None


async def add_identity(tx: Tx, issuer: str, subject: str, account_id: str) -> None:
    """Have the subject, who is nobody here yet, sign in as the account."""
    await tx.run(
        insert(schema.external_identity).values(
            issuer=issuer, subject=subject, account_id=account_id, created_at=tx.now
        )
    )


async def has_identity(reader: Reader, issuer: str, account_id: str) -> bool:
    """Whether anybody of this issuer signs in as the account."""
    return (
        await reader.scalar(
            select(_identity.subject).where(
                _identity.issuer == issuer, _identity.account_id == account_id
            )
        )
        is not None
    )
