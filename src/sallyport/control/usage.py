"""How often apps are called: for admins of a site, for who builds an app, for who calls it.

Each sees what is theirs: an admin all calls of the site, a developer the calls of an app
environment without who made them, an integration's owner its own calls.
"""

from __future__ import annotations

from sallyport.control.authority import require_app_part
from sallyport.control.places import environment_named, site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store.engine import Reader
from sallyport.store.integrations import integration_by_client_id
from sallyport.store.usage import By, Usage, UsageLine, usage_by
from sallyport.vocab.errors import Reason, Refused

__all__ = ["By", "Usage", "UsageLine", "app_usage", "integration_usage", "site_usage"]


async def site_usage(
    services: Services,
    actor: Actor,
    site: str,
    by: By,
    *,
    since: int,
    until: int,
    app_id: str | None = None,
    environment_id: str | None = None,
    client_id: str | None = None,
    route_key: str | None = None,
) -> tuple[UsageLine, ...]:
    """Calls to a site (cloud id or host), all or those of an app, an environment of one, an
    integration, a route; for its admins. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[UsageLine, ...]:
        found = await site_of_admin(reader, actor, site)
        return await usage_by(
            reader,
            by,
            since=since,
            until=until,
            site_id=found.id,
            app_id=app_id,
            environment_id=environment_id,
            client_id=client_id,
            route_key=route_key,
        )

    return await services.store.read(ask)


async def app_usage(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    by: By,
    *,
    since: int,
    until: int,
) -> tuple[UsageLine, ...]:
    """Calls to an app environment on all sites, for those who build it. Raises `Refused`.

    Which site and which integration called is the customer's own matter.
    """

    async def ask(reader: Reader) -> tuple[UsageLine, ...]:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        return await usage_by(reader, by, since=since, until=until, environment_id=environment.id)

    return await services.store.read(ask)


async def integration_usage(
    services: Services, actor: Actor, client_id: str, by: By, *, since: int, until: int
) -> tuple[UsageLine, ...]:
    """Calls that an integration made, for who owns it; also after its end. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[UsageLine, ...]:
        found = await integration_by_client_id(reader, client_id)
        if found is None or (actor.account_id not in (None, found.owner_id)):
            raise Refused(
                Reason.NOT_FOUND,
                "There is no such integration among yours.",
                fix="Check the client id; `sallyport integrations list` shows yours.",
            )
        return await usage_by(reader, by, since=since, until=until, client_id=client_id)

    return await services.store.read(ask)
