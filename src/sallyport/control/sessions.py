"""Browser sessions, as the account that they belong to sees and ends them."""

from __future__ import annotations

from sallyport.control.accounts import own_id
from sallyport.control.services import Services
from sallyport.model.directory import Actor, Session
from sallyport.store import sessions
from sallyport.store.engine import Tx
from sallyport.store.external import has_identity
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import digest, is_uuid


async def my_sessions(services: Services, actor: Actor) -> tuple[Session, ...]:
    """The actor's live sessions, the one used last first."""
    return await services.store.read(sessions.sessions_of, own_id(actor))


async def end_my_session(services: Services, actor: Actor, session_id: str) -> None:
    """End one of the actor's sessions; its next request is a stranger's. Raises `Refused`."""
    account_id = own_id(actor)

    async def end(tx: Tx) -> None:
        if not is_uuid(session_id) or not await sessions.end_session_named(
            tx, account_id, session_id
        ):
            raise Refused(
                Reason.NOT_FOUND,
                "There is no such session among yours.",
                fix="It may have ended already; list the sessions again.",
            )
        tx.audit(Event.SIGNED_OUT, actor, subject=account_id, session_id=session_id)

    await services.store.write(end)


async def end_my_other_sessions(services: Services, actor: Actor, cookie: str | None) -> int:
    """End all of the actor's sessions but that of the cookie, all where it is None; how many."""
    account_id = own_id(actor)

    async def end(tx: Tx) -> int:
        kept = None if cookie is None else digest(cookie)
        ended = await sessions.end_sessions_of(tx, account_id, but=kept)
        if ended:
            tx.audit(Event.SIGNED_OUT, actor, subject=account_id, sessions=ended)
        return ended

    return await services.store.write(end)


async def is_linked(services: Services, actor: Actor) -> bool:
    """Whether the actor can sign in at the identity provider."""
    provider = services.provider
    return provider is not None and await services.store.read(
        has_identity, provider.config.issuer, own_id(actor)
    )
