"""Who is it: sign-in with email and password, browser sessions, API tokens.

Every refusal reads the same, whether the email, the secret or the account's state was wrong.
"""

from __future__ import annotations

from sallyport.control.names import clean_email, clean_name
from sallyport.control.services import Services
from sallyport.model.directory import Account, Actor, Session, SessionOrigin
from sallyport.store import accounts
from sallyport.store.engine import Tx
from sallyport.tokens import api_tokens, sessions
from sallyport.tokens.api_tokens import NewApiToken
from sallyport.tokens.passwords import is_password
from sallyport.vocab.clock import MINUTE
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

TOUCHED_EVERY = 5 * MINUTE

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="sallyport"'}


def actor_for(account: Account, address: str | None) -> Actor:
    """The account as one who acts, from an address."""
    return Actor(account.id, account.name, account.operator, address)


async def account_of_api_token(
    services: Services, email: str, token: str, address: str | None
) -> Actor:
    """Who calls the control API. Raises `Refused` CREDENTIALS_INVALID."""
    account = await services.store.read(api_tokens.account_of, token)
    if account is None or account.email != _plain(email):
        raise _not_right("Check the email; make a new API token if this one was revoked.")
    return actor_for(account, address)


async def sign_in(
    services: Services,
    email: str,
    password: str,
    address: str | None,
    *,
    replaces: str | None = None,
    agent: str | None = None,
) -> tuple[Account, str]:
    """Start a session; returns the account and the cookie's value.

    `replaces` is the cookie that the browser came with: its session ends, so that none that was
    planted before survives. `agent` is the browser in plain words. Raises `Refused`
    CREDENTIALS_INVALID or RATE_LIMITED.
    """
    known = await require_password(services, email, password, address)

    async def start(tx: Tx) -> str:
        await _require_unchanged(tx, known)
        tx.audit(Event.SIGNED_IN, actor_for(known.account, address), subject=known.account.id)
        origin = SessionOrigin(address, agent)
        return await sessions.start(tx, known.account.id, replaces=replaces, origin=origin)

    return known.account, await services.store.write(start)


async def sign_in_for_api_token(
    services: Services, email: str, password: str, label: str, address: str | None
) -> tuple[Account, NewApiToken]:
    """Trade email and password for an API token. Raises `Refused` as `sign_in` does."""
    label = clean_name(label, "label")
    known = await require_password(services, email, password, address)

    async def mint(tx: Tx) -> NewApiToken:
        await _require_unchanged(tx, known)
        return await api_tokens.mint(tx, actor_for(known.account, address), known.account.id, label)

    return known.account, await services.store.write(mint)


async def session_of(
    services: Services, cookie: str, address: str | None
) -> tuple[Account, Session] | None:
    """The session of a cookie and its account, None where it is over or never was.

    That it is used, and from where, is remembered once in a while.
    """
    found = await services.store.read(sessions.in_use, cookie)
    if found is not None:
        _, session = found
        idle = services.store.clock.now() - session.last_used_at
        if idle >= TOUCHED_EVERY or session.address != address:
            await services.store.write(sessions.touch, cookie, address)
    return found


async def is_signed_in(services: Services, cookie: str) -> bool:
    """Whether the session of a cookie still is one."""
    return await services.store.read(sessions.account_of, cookie) is not None


async def sign_out(services: Services, cookie: str, address: str | None) -> None:
    """End the session. One that is over already is no error."""

    async def end(tx: Tx) -> None:
        account_id = await sessions.end(tx, cookie)
        if account_id is not None:
            tx.audit(Event.SIGNED_OUT, Actor(account_id, "", address=address), subject=account_id)

    await services.store.write(end)


async def require_password(
    services: Services, email: str, password: str, address: str | None
) -> accounts.SignIn:
    """The active account of this email and password; a limited number of tries.

    Raises `Refused` CREDENTIALS_INVALID or RATE_LIMITED.
    """
    plain = _plain(email)
    services.attempts.spend(plain, address)
    known = await services.store.read(accounts.sign_in_of, plain)
    right = await is_password(known.password_hash if known else None, password)
    may = known is not None and known.account.active and _may_use_password(services, known.account)
    if known is None or not right or not may:
        await services.store.write(_note_refusal, known, address)
        raise _not_right("Check the email and the password.")
    services.attempts.give_back(plain, address)
    return known


def _may_use_password(services: Services, account: Account) -> bool:
    """Operators always may, so that no mapping of claims can lock them out."""
    provider = services.provider
    return provider is None or provider.config.passwords_for_all or account.operator


async def _note_refusal(tx: Tx, known: accounts.SignIn | None, address: str | None) -> None:
    # What was typed as an email is not kept: it may be a password in the wrong field.
    subject = known.account.id if known else None
    tx.audit(Event.SIGN_IN_REFUSED, Actor(None, "unknown", address=address), subject=subject)


async def _require_unchanged(tx: Tx, known: accounts.SignIn) -> None:
    """The password took a while to check; what was true then must be true now."""
    now = await accounts.sign_in_of(tx, known.account.email)
    if now is None or not now.account.active or now.password_hash != known.password_hash:
        raise _not_right("Check the email and the password.")


def _plain(email: str) -> str:
    try:
        return clean_email(email)
    except Refused:
        return ""


def _not_right(fix: str) -> Refused:
    return Refused(
        Reason.CREDENTIALS_INVALID,
        "The email and the secret do not belong to an active account.",
        fix=fix,
        headers=_CHALLENGE,
    )
