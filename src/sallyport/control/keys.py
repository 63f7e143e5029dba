"""Signing keys, for operators: listed, rotated with overlap, retired at once."""

from __future__ import annotations

from sallyport.control.authority import require_operator
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store import keys as stored
from sallyport.store.engine import Reader, Tx
from sallyport.store.keys import KeyTimes
from sallyport.tokens.keys import rotate

__all__ = ["KeyTimes", "list_keys", "retire_key", "rotate_keys"]


async def list_keys(services: Services, actor: Actor) -> tuple[KeyTimes, ...]:
    """The keys that verify access tokens now, in the order in which they sign. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[KeyTimes, ...]:
        await require_operator(reader, actor)
        return await stored.live_key_times(reader)

    return await services.store.read(ask)


async def rotate_keys(services: Services, actor: Actor, *, at_once: bool = False) -> KeyTimes:
    """Make the next signing key. It signs after a lead in which all learn of it, or at once.

    Raises `Refused`, also while an earlier rotation waits for its key to sign.
    """
    await services.store.read(require_operator, actor)
    made = await rotate(services.store, services.policy, actor, at_once=at_once)
    await services.reload_keys()
    live = await services.store.read(stored.live_key_times)
    return next(each for each in live if each.kid == made.kid)


async def retire_key(services: Services, actor: Actor, kid: str) -> None:
    """Take a key out of the key set. When this returns, no token that it signed opens anything.

    Raises `Refused`.
    """

    async def work(tx: Tx) -> None:
        await require_operator(tx, actor)
        await stored.retire_signing_key(tx, actor, kid)

    await services.store.write(work)
    await services.reload_keys()
