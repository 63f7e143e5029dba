"""Accounts, and the one-time claim that makes the first operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, select, true, update

from sallyport.model.directory import Account
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.ids import new_id

_account, _platform = schema.account.c, schema.platform.c

PERSON = "person"
SERVICE = "service"
"""What a service account acts as: it has no password and its email takes no mail."""

SETUP_LINK = "setup-link"
CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account with what its password is checked against; None where it has no password."""

    account: Account
    password_hash: str | None


def account_columns() -> Sequence[ColumnElement[Any]]:
    """The columns that `account_of_row` reads."""
    return (
        _account.id,
        _account.email,
        _account.name,
        _account.operator,
        _account.active,
        _account.created_at,
    )


def account_of_row(row: Row[Any]) -> Account:
    return Account(row.id, row.email, row.name, row.operator, row.active, row.created_at)


async def add_account(
    tx: Tx, email: str, name: str, password_hash: str | None, *, operator: bool
) -> Account | None:
    """A new active account; None where the email is taken."""
    account = Account(new_id(), email, name, operator, True, tx.now)
    done = await tx.run(
        insert_into(tx, schema.account)
        .values(
            id=account.id,
            email=email,
            name=name,
            password_hash=password_hash,
            operator=operator,
            active=True,
            created_at=account.created_at,
        )
        .on_conflict_do_nothing(index_elements=["email"])
    )
    return account if done.rowcount == 1 else None


async def person_by_id(reader: Reader, account_id: str) -> Account | None:
    """As `account_by_id`, of people alone: a service account is given nothing by its id."""
    row = await reader.first(
        select(*account_columns()).where(_account.id == account_id, _account.kind == PERSON)
    )
    return account_of_row(row) if row is not None else None


async def account_by_id(reader: Reader, account_id: str) -> Account | None:
    row = await reader.first(select(*account_columns()).where(_account.id == account_id))
    return account_of_row(row) if row is not None else None


async def account_by_email(reader: Reader, email: str) -> Account | None:
    row = await reader.first(
        select(*account_columns()).where(_account.email == email, _account.kind == PERSON)
    )
    return account_of_row(row) if row is not None else None


async def sign_in_of(reader: Reader, email: str) -> SignIn | None:
    """The account of an email with its password hash."""
    row = await reader.first(
        select(*account_columns(), _account.password_hash).where(
            _account.email == email, _account.kind == PERSON
        )
    )
    return SignIn(account_of_row(row), row.password_hash) if row is not None else None


async def all_accounts(reader: Reader) -> tuple[Account, ...]:
    rows = await reader.all(
        select(*account_columns()).where(_account.kind == PERSON).order_by(_account.email)
    )
    return tuple(account_of_row(row) for row in rows)


async def set_active(tx: Tx, account_id: str, active: bool) -> bool:
    """True where that changed it."""
    changed = await _set(tx, account_id, _account.active != active, active=active)
    if changed:
        tx.changed(Kind.ACCOUNT, account_id)
    return changed


async def set_operator(tx: Tx, account_id: str, operator: bool) -> bool:
    """True where that changed it."""
    return await _set(tx, account_id, _account.operator != operator, operator=operator)


async def set_password_hash(tx: Tx, account_id: str, password_hash: str) -> bool:
    """False where there is no such account."""
    return await _set(tx, account_id, true(), password_hash=password_hash)


async def other_active_operators(tx: Tx, account_id: str) -> bool:
    """Whether an active operator besides this one exists; none of them can go until we are done."""
    rows = await tx.all(
        select(_account.id)
        .where(_account.operator, _account.active)
        .order_by(_account.id)
        # Two operators that remove each other at once would leave none.
        .with_for_update()
    )
    return any(row.id != account_id for row in rows)


async def is_claimed(reader: Reader) -> bool:
    """Whether an operator account was ever made."""
    return bool(
        await reader.scalar(
            select(exists().where(_account.operator) | exists().where(_platform.key == CLAIMED))
        )
    )


async def set_setup_link(tx: Tx, digest: str) -> None:
    """Remember the one setup link that works; the one before dies."""
    statement = insert_into(tx, schema.platform).values(key=SETUP_LINK, value=digest)
    await tx.run(statement.on_conflict_do_update(index_elements=["key"], set_={"value": digest}))


async def is_setup_link(reader: Reader, digest: str) -> bool:
    """Whether this is the setup link that works."""
    return bool(
        await reader.scalar(
            select(exists().where(_platform.key == SETUP_LINK, _platform.value == digest))
        )
    )


async def consume_setup_link(tx: Tx, digest: str) -> bool:
    """Use the setup link up; True for exactly one caller, ever."""
    used = await tx.run(
        delete(schema.platform).where(_platform.key == SETUP_LINK, _platform.value == digest)
    )
    if used.rowcount != 1:
        return False
    claimed = await tx.run(
        insert_into(tx, schema.platform)
        .values(key=CLAIMED, value=str(tx.now))
        .on_conflict_do_nothing(index_elements=["key"])
    )
    return claimed.rowcount == 1


async def _set(tx: Tx, account_id: str, differs: ColumnElement[bool], **values: Any) -> bool:
    done = await tx.run(
        update(schema.account).where(_account.id == account_id, differs).values(**values)
    )
    return done.rowcount == 1
