"""Environments of an app: listing, creating, deleting."""

from __future__ import annotations

import asyncio

from sallyport.control.apps import EnvironmentView, show_app
from sallyport.control.authority import require_app_admin
from sallyport.control.places import check_environment_key, environment_named
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.model.registry import BUILT_IN_ENVIRONMENTS
from sallyport.store import environments
from sallyport.store.engine import Tx
from sallyport.vocab.errors import Reason, Refused

MOST_ENVIRONMENTS = 20


async def list_environments(
    services: Services, actor: Actor, app_id: str
) -> tuple[EnvironmentView, ...]:
    """The environments of an app, for those who build it. Raises `Refused`."""
    return (await show_app(services, actor, app_id)).environments


async def create_environment(
    services: Services, actor: Actor, app_id: str, key: str
) -> EnvironmentView:
    """A further environment of an app, by its admins. Raises `Refused`."""
    check_environment_key(key)

    async def work(tx: Tx) -> EnvironmentView:
        await require_app_admin(tx, actor, app_id)
        made = await environments.add_environment(tx, actor, app_id, key, MOST_ENVIRONMENTS)
        return EnvironmentView(made, None)

    return await services.store.write(work)


async def delete_environment(services: Services, actor: Actor, app_id: str, key: str) -> None:
    """Delete an environment with its installations, consents and data, by an admin of the app.

    When this returns no new call reaches it and its workers have stopped. Raises `Refused`.
    """

    async def work(tx: Tx) -> tuple[str, ...]:
        await require_app_admin(tx, actor, app_id)
        environment = await environment_named(tx, app_id, key)
        if key in BUILT_IN_ENVIRONMENTS:
            raise Refused(
                Reason.CONFLICT,
                f"The environment {key} is built in and cannot be deleted.",
                fix="Uninstall the app from sites to end what runs there.",
            )
        return await environments.delete_environment(tx, actor, environment)

    ended = await services.store.write(work)
    await asyncio.gather(*(services.stop_installation(each) for each in ended))
