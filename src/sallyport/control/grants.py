"""Grants (consents): listed and ended by the account that gave them and by the site's admins."""

from __future__ import annotations

from collections.abc import Sequence

from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.access import Grant
from sallyport.model.directory import Actor
from sallyport.model.registry import CustomScope
from sallyport.store import grants
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import scopes_of
from sallyport.store.grants import GrantLine
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid

__all__ = [
    "GrantLine",
    "end_my_grant",
    "end_site_grant",
    "my_grants",
    "scopes_in_words",
    "site_grants",
]


async def my_grants(services: Services, actor: Actor) -> list[GrantLine]:
    """What the actor has consented to, newest first."""
    if actor.account_id is None:
        return []
    return await services.store.read(grants.grants_of_account, actor.account_id)


async def scopes_in_words(
    services: Services, lines: Sequence[GrantLine]
) -> dict[tuple[str, str], CustomScope]:
    """What developers say of the custom scopes of these grants, by environment id and name."""

    async def ask(reader: Reader) -> dict[tuple[str, str], CustomScope]:
        found = {}
        for environment_id in {line.grant.environment_id for line in lines}:
            for scope in await scopes_of(reader, environment_id):
                found[environment_id, scope.name] = scope
        return found

    return await services.store.read(ask)


async def site_grants(
    services: Services, actor: Actor, site: str, environment_id: str | None = None
) -> list[GrantLine]:
    """What accounts have consented to on a site, for one app environment or for all.

    For admins of the site. Raises `Refused`.
    """

    async def ask(reader: Reader) -> list[GrantLine]:
        found = await site_of_admin(reader, actor, site)
        return await grants.grants_of_site(reader, found.id, environment_id)

    return await services.store.read(ask)


async def end_my_grant(services: Services, actor: Actor, grant_id: str) -> None:
    """End a consent of the actor's own. When this returns, its tokens open nothing.

    Raises `Refused`.
    """

    async def work(tx: Tx) -> None:
        found = await _live(tx, grant_id)
        if found.account_id != actor.account_id:
            raise _no_such()
        await grants.end_grant(tx, actor, grant_id)

    await services.store.write(work)


async def end_site_grant(services: Services, actor: Actor, site: str, grant_id: str) -> None:
    """End anybody's consent on a site, by its admins. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        here = await site_of_admin(tx, actor, site)
        found = await _live(tx, grant_id)
        if found.site_id != here.id:
            raise _no_such()
        await grants.end_grant(tx, actor, grant_id)

    await services.store.write(work)


async def _live(reader: Reader, grant_id: str) -> Grant:
    found = await grants.grant_by_id(reader, grant_id) if is_uuid(grant_id) else None
    if found is None or found.revoked_at is not None:
        raise _no_such()
    return found


def _no_such() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such consent here.",
        fix="It may have been ended already; list the consents again.",
    )
