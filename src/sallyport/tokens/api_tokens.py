"""API tokens: an account's keys to the control API, shown once, stored as digests."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.model.access import ApiToken
from sallyport.model.directory import Account, Actor
from sallyport.store import sessions
from sallyport.store.engine import Reader, Tx
from sallyport.vocab import ids
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

MOST = 100


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """An API token at the one moment when its secret is known."""

    token: ApiToken
    secret: str


async def mint(tx: Tx, actor: Actor, account_id: str, label: str) -> NewApiToken:
    """A new API token for the account. Raises `Refused` CONFLICT where it has `MOST` already."""
    if await sessions.count_api_tokens(tx, account_id) >= MOST:
        raise Refused(
            Reason.CONFLICT,
            f"The account has {MOST} API tokens already.",
            fix="Revoke those that are no longer used.",
        )
    secret = ids.new_secret(ids.API_TOKEN)
    token = await sessions.add_api_token(tx, ids.digest(secret), account_id, label)
    tx.audit(Event.API_TOKEN_CREATED, actor, subject=account_id, token_id=token.id, label=label)
    return NewApiToken(token, secret)


async def account_of(reader: Reader, secret: str) -> Account | None:
    """The active account that a live API token belongs to."""
    if not ids.is_well_formed(secret, ids.API_TOKEN):
        return None
    return await sessions.account_of_api_token(reader, ids.digest(secret))
