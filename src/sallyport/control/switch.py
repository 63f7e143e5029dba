"""The REST APIs switch: off until an admin of the site turns it on, contract section (g)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sallyport.control.places import site_of_admin, site_of_member
from sallyport.control.reach import Reach, reach_of
from sallyport.control.services import Services
from sallyport.model.directory import Actor, Site
from sallyport.model.registry import Environment
from sallyport.store import accounts, environments, installations, installed
from sallyport.store.engine import Reader, Tx
from sallyport.store.installed import Switch
from sallyport.vocab.errors import Reason, Refused


@dataclass(frozen=True, slots=True)
class RestApis:
    """The switch of one app environment on one site, and the base URLs that it opens.

    `changed_at` is milliseconds since the epoch; it, `changed_by` and `reach` are None where nobody
    has touched the switch. `reach` tells in how many processes it stands as said here.
    """

    enabled: bool
    changed_at: int | None
    changed_by: str | None
    changed_by_email: str | None
    base_urls: tuple[str, ...]
    reach: Reach | None = None


async def set_rest_apis(
    services: Services, actor: Actor, site: str, app_id: str, environment_key: str, enabled: bool
) -> RestApis:
    """Turn an app's REST APIs on or off for a site, by its admins. Raises `Refused`.

    Off is off when this returns: the change is durable, and every gateway in this process has
    dropped what it knew, so no call that comes later is let in.
    """

    async def work(tx: Tx) -> RestApis:
        found = await site_of_admin(tx, actor, site)
        environment = await _installed_environment(tx, found, app_id, environment_key)
        switch = await installations.set_switch(tx, actor, found.id, environment, enabled)
        return await _shown(services, tx, found, environment, switch)

    return await _reached(services, await services.store.write(work))


async def rest_apis(
    services: Services, actor: Actor, site: str, app_id: str, environment_key: str
) -> RestApis:
    """How the switch stands, for members of the site. Raises `Refused`."""

    async def ask(reader: Reader) -> RestApis:
        found = await site_of_member(reader, actor, site)
        environment = await _installed_environment(reader, found, app_id, environment_key)
        switch = await installed.switch_of(reader, found.id, environment.id)
        return await _shown(services, reader, found, environment, switch or installed.OFF)

    return await _reached(services, await services.store.read(ask))


async def _reached(services: Services, state: RestApis) -> RestApis:
    if state.changed_at is None:
        return state
    return replace(state, reach=await reach_of(services, state.changed_at))


async def _installed_environment(
    reader: Reader, site: Site, app_id: str, environment_key: str
) -> Environment:
    """An environment that is not installed on the site reads like one that does not exist."""
    found = await environments.environment_by_key(reader, app_id, environment_key)
    if found is None or await installed.switch_of(reader, site.id, found.id) is None:
        raise Refused(
            Reason.NOT_FOUND,
            "This environment of the app is not installed on this site.",
            fix="Check the app and the environment, or install the app first.",
        )
    return found


async def _shown(
    services: Services, reader: Reader, site: Site, environment: Environment, switch: Switch
) -> RestApis:
    here = await installed.installations_of_site(reader, site.id)
    products = [each.installation.product for each in here if each.environment.id == environment.id]
    urls = tuple(
        url
        for product in products
        for url in services.base_urls(site, product, environment.app_id, environment.id)
    )
    by = switch.changed_by
    account = await accounts.account_by_id(reader, by) if by is not None else None
    return RestApis(
        switch.enabled, switch.changed_at, by, account.email if account is not None else None, urls
    )
