"""From an empty store to a platform with an operator: what exists first, and who claims it."""

from __future__ import annotations

from sallyport.control.names import clean_email, clean_name
from sallyport.control.services import Services
from sallyport.control.signin import actor_for
from sallyport.model.directory import Account
from sallyport.store import accounts, directory
from sallyport.store.engine import Store, Tx
from sallyport.tokens import api_tokens
from sallyport.tokens.api_tokens import NewApiToken
from sallyport.tokens.passwords import check_password, hash_password
from sallyport.vocab import ids
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

FIRST_PRODUCTS = {"jira": "Jira", "confluence": "Confluence"}
_FIRST_TOKEN = "made at setup"


async def bootstrap(store: Store) -> None:
    """What every platform has: the products Jira and Confluence. Does nothing a second time."""

    async def declare(tx: Tx) -> None:
        for key, name in FIRST_PRODUCTS.items():
            await directory.add_product(tx, key, name)

    await store.write(declare)


async def is_set_up(services: Services) -> bool:
    """Whether the platform has ever had an operator; once true it stays true."""
    return await services.store.read(accounts.is_claimed)


async def ensure_setup_link(services: Services) -> str | None:
    """A fresh one-time link that makes the first operator; None where there is one.

    Only the digest is stored, so a link cannot be shown twice: each start makes a new one and the
    one before dies.
    """
    secret = ids.new_secret(ids.SETUP_LINK)

    async def renew(tx: Tx) -> bool:
        if await accounts.is_claimed(tx):
            return False
        await accounts.set_setup_link(tx, ids.digest(secret))
        return True

    if not await services.store.write(renew):
        return None
    return f"{services.public_url}/setup?token={secret}"


async def claim(
    services: Services, token: str, email: str, name: str, password: str, address: str | None = None
) -> tuple[Account, NewApiToken]:
    """Make the first operator; works for exactly one caller, ever. Raises `Refused`."""
    services.attempts.spend_by_address(address)
    email, name = clean_email(email), clean_name(name, "name")
    check_password(password)
    if not ids.is_well_formed(token, ids.SETUP_LINK):
        raise _dead_link()
    digest = ids.digest(token)
    # Hashing is slow work that only the holder of the link may cause.
    if not await services.store.read(accounts.is_setup_link, digest):
        raise _dead_link()
    password_hash = await hash_password(password)

    async def take(tx: Tx) -> tuple[Account, NewApiToken]:
        taken = not await accounts.is_claimed(tx) and await accounts.consume_setup_link(tx, digest)
        if not taken:
            raise _dead_link()
        account = await accounts.add_account(tx, email, name, password_hash, operator=True)
        if account is None:
            raise Refused(
                Reason.ALREADY_EXISTS,
                "An account with this email exists already.",
                fix="Choose another email for the operator.",
            )
        actor = actor_for(account, address)
        tx.audit(Event.PLATFORM_CLAIMED, actor, subject=account.id)
        return account, await api_tokens.mint(tx, actor, account.id, _FIRST_TOKEN)

    return await services.store.write(take)


def _dead_link() -> Refused:
    return Refused(
        Reason.NOT_ALLOWED,
        "This setup link does not work: it was used, or a later start replaced it.",
        fix="Start the platform again; while it has no operator it prints a new link.",
    )
