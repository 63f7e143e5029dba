"""Installing apps on sites; by the sites' admins."""

from __future__ import annotations

from sallyport.control.authority import require_site_admin
from sallyport.control.places import environment_named, site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store import installations, installed
from sallyport.store.engine import Reader, Tx
from sallyport.store.installed import Installed
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "Installed",
    "install",
    "list_installations",
    "show_installation",
    "uninstall",
    "upgrade",
]

MOST_LISTED = 500


async def install(
    services: Services, actor: Actor, app_id: str, environment_key: str, site: str, product: str
) -> Installed:
    """Install the newest version of an app environment on a product of a site. Raises `Refused`.

    An admin of the site may install any app whose id the developer has given out. Its REST APIs
    stay off until an admin turns them on.
    """

    async def work(tx: Tx) -> Installed:
        found = await site_of_admin(tx, actor, site)
        environment = await environment_named(tx, app_id, environment_key)
        made = await installations.add_installation(tx, actor, found.id, environment, product)
        return await _existing(tx, made.id)

    return await services.store.write(work)


async def list_installations(
    services: Services,
    actor: Actor,
    *,
    app_id: str | None = None,
    environment: str | None = None,
    site: str | None = None,
) -> tuple[Installed, ...]:
    """Installations of the apps that the actor builds and on the sites that it belongs to."""
    return await services.store.read(
        installed.installations_seen_by,
        actor.account_id,
        app_id=app_id,
        environment=environment,
        site=site.lower() if site is not None else None,
        limit=MOST_LISTED,
    )


async def show_installation(services: Services, actor: Actor, installation_id: str) -> Installed:
    """One installation, for an admin of its site. Raises `Refused`."""

    async def ask(reader: Reader) -> Installed:
        return await _of_admin(reader, actor, installation_id)

    return await services.store.read(ask)


async def upgrade(services: Services, actor: Actor, installation_id: str) -> Installed:
    """Move an installation to the newest major, by an admin of its site. Raises `Refused`."""

    async def work(tx: Tx) -> Installed:
        held = await _of_admin(tx, actor, installation_id)
        await installations.upgrade_installation(tx, actor, held)
        return await _existing(tx, installation_id)

    return await services.store.write(work)


async def uninstall(services: Services, actor: Actor, installation_id: str) -> None:
    """End an installation with its data, by an admin of its site. Raises `Refused`.

    When this returns no new call reaches it and its workers have stopped.
    """

    async def work(tx: Tx) -> None:
        held = await _of_admin(tx, actor, installation_id)
        await installations.remove_installation(tx, actor, held)

    await services.store.write(work)
    await services.stop_installation(installation_id)


async def _of_admin(reader: Reader, actor: Actor, installation_id: str) -> Installed:
    held = await installed.installation_by_id(reader, installation_id)
    if held is None:
        raise _no_such()
    try:
        await require_site_admin(reader, actor, held.site.id)
    except Refused as refused:
        if refused.reason is Reason.NOT_FOUND:
            raise _no_such() from None
        raise
    return held


async def _existing(reader: Reader, installation_id: str) -> Installed:
    held = await installed.installation_by_id(reader, installation_id)
    if held is None:
        raise _no_such()
    return held


def _no_such() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such installation among those of your sites.",
        fix="`sallyport install list` shows the installations that you may see.",
    )
