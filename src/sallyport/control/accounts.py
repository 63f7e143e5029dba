"""People: their accounts, made and changed by operators, and what each does for itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sallyport.control.authority import require_operator
from sallyport.control.names import clean_email, clean_name
from sallyport.control.services import Services
from sallyport.control.signin import require_password
from sallyport.model.access import ApiToken
from sallyport.model.directory import Account, Actor
from sallyport.store import accounts, sessions
from sallyport.store.engine import Reader, Tx
from sallyport.tokens import api_tokens
from sallyport.tokens.api_tokens import NewApiToken
from sallyport.tokens.passwords import check_password, hash_password
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import digest, is_uuid


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account just made; `password` is the one that was generated, None where one was given."""

    account: Account
    password: str | None


# ---- by operators


async def list_accounts(services: Services, actor: Actor) -> tuple[Account, ...]:
    """Every account, by email; for operators. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Account, ...]:
        await require_operator(reader, actor)
        return await accounts.all_accounts(reader)

    return await services.store.read(ask)


async def create_account(
    services: Services,
    actor: Actor,
    email: str,
    name: str,
    *,
    password: str | None = None,
    operator: bool = False,
) -> NewAccount:
    """A new account, by an operator; without a password one is generated. Raises `Refused`."""
    email, name = clean_email(email), clean_name(name, "name")
    # Hashing is slow work that only an operator may cause.
    await services.store.read(require_operator, actor)
    generated = secrets.token_urlsafe(15) if password is None else None
    password_hash = await hash_password(password if password is not None else str(generated))

    async def add(tx: Tx) -> Account:
        await require_operator(tx, actor)
        account = await accounts.add_account(tx, email, name, password_hash, operator=operator)
        if account is None:
            raise Refused(
                Reason.ALREADY_EXISTS,
                "An account with this email exists already.",
                fix="Use that account, or give another email.",
            )
        tx.audit(Event.ACCOUNT_CREATED, actor, subject=account.id, operator=operator)
        return account

    return NewAccount(await services.store.write(add), generated)


async def change_account(
    services: Services,
    actor: Actor,
    account: str,
    *,
    active: bool | None = None,
    operator: bool | None = None,
    password: str | None = None,
) -> Account:
    """Change what is not None of an account, by id or email; by an operator. Raises `Refused`.

    Deactivating ends the account's sessions and API tokens for good. A new password ends its
    sessions. The last active operator stays.
    """
    await services.store.read(require_operator, actor)
    password_hash = await hash_password(password) if password is not None else None

    async def change(tx: Tx) -> Account:
        await require_operator(tx, actor)
        found = await any_account_named(tx, account)
        if False in (active, operator):
            await _require_another_operator(tx, found)
        if active is not None and await accounts.set_active(tx, found.id, active):
            if not active:
                await sessions.end_sessions_of(tx, found.id)
                await sessions.revoke_api_tokens_of(tx, found.id)
            event = Event.ACCOUNT_REACTIVATED if active else Event.ACCOUNT_DEACTIVATED
            tx.audit(event, actor, subject=found.id)
        if operator is not None and await accounts.set_operator(tx, found.id, operator):
            event = Event.OPERATOR_SET if operator else Event.OPERATOR_ENDED
            tx.audit(event, actor, subject=found.id)
        if password_hash is not None:
            await _set_password(tx, actor, found.id, password_hash)
        return await any_account_named(tx, found.id)

    return await services.store.write(change)


async def create_token_for(
    services: Services, actor: Actor, account: str, label: str
) -> NewApiToken:
    """An API token for an active account, by an operator. Raises `Refused`."""
    label = clean_name(label, "label")

    async def mint(tx: Tx) -> NewApiToken:
        await require_operator(tx, actor)
        found = await any_account_named(tx, account)
        if not found.active:
            raise Refused(
                Reason.CONFLICT, "The account is not active.", fix="Activate the account first."
            )
        return await api_tokens.mint(tx, actor, found.id, label)

    return await services.store.write(mint)


async def any_account_named(reader: Reader, account: str) -> Account:
    """The account with this id or email, active or not. Raises `Refused`."""
    if is_uuid(account):
        found = await accounts.person_by_id(reader, account)
    else:
        found = await accounts.account_by_email(reader, clean_email(account))
    if found is None:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such account.",
            fix="Check the email or the id; an operator makes accounts.",
        )
    return found


# ---- by each for itself


async def my_account(services: Services, actor: Actor) -> Account:
    """The actor's own account. Raises `Refused`."""
    return await services.store.read(any_account_named, own_id(actor))


async def my_api_tokens(services: Services, actor: Actor) -> tuple[ApiToken, ...]:
    """The actor's own live API tokens, oldest first."""
    return await services.store.read(sessions.api_tokens_of, own_id(actor))


async def create_api_token(services: Services, actor: Actor, label: str) -> NewApiToken:
    """An API token for oneself. Raises `Refused`."""
    label = clean_name(label, "label")
    return await services.store.write(api_tokens.mint, actor, own_id(actor), label)


async def revoke_api_token(services: Services, actor: Actor, token_id: str) -> None:
    """End one of one's own API tokens. Raises `Refused` NOT_FOUND."""
    account_id = own_id(actor)

    async def revoke(tx: Tx) -> None:
        if not await sessions.revoke_api_token(tx, account_id, token_id):
            raise Refused(Reason.NOT_FOUND, "There is no such API token among yours.")
        tx.audit(Event.API_TOKEN_REVOKED, actor, subject=account_id, token_id=token_id)

    await services.store.write(revoke)


async def change_password(
    services: Services, actor: Actor, current: str, new: str, *, cookie: str | None = None
) -> None:
    """A new password for oneself; ends every session of the account but that of the cookie.

    Raises `Refused`.
    """
    check_password(new)
    known = await require_password(
        services, (await my_account(services, actor)).email, current, actor.address
    )
    password_hash = await hash_password(new)

    async def change(tx: Tx) -> None:
        kept = None if cookie is None else digest(cookie)
        await _set_password(tx, actor, known.account.id, password_hash, kept)

    await services.store.write(change)


def own_id(actor: Actor) -> str:
    """The account that acts. Raises `Refused` where the platform itself does."""
    if actor.account_id is None:
        raise Refused(Reason.NOT_FOUND, "The platform itself has no account.")
    return actor.account_id


async def _set_password(
    tx: Tx, actor: Actor, account_id: str, password_hash: str, kept: str | None = None
) -> None:
    await accounts.set_password_hash(tx, account_id, password_hash)
    ended = await sessions.end_sessions_of(tx, account_id, but=kept)
    tx.audit(Event.PASSWORD_SET, actor, subject=account_id, sessions_ended=ended)


async def _require_another_operator(tx: Tx, account: Account) -> None:
    """A platform without an operator could never have one again."""
    if not (account.operator and account.active):
        return
    if not await accounts.other_active_operators(tx, account.id):
        raise Refused(
            Reason.CONFLICT,
            "This is the only active operator of the platform.",
            fix="Make another account an operator first.",
        )
