"""Apps: registering them, and who builds them."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.authority import require_app_admin, require_app_part
from sallyport.control.names import clean_name
from sallyport.control.places import account_named
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.model.registry import App, AppRole, Environment
from sallyport.store import apps, environments, versions
from sallyport.store.apps import AppMember
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "AppMember",
    "AppView",
    "EnvironmentView",
    "app_members",
    "end_app_member",
    "list_apps",
    "register_app",
    "set_app_member",
    "show_app",
]


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """An environment and the number of its newest version, None where nothing is deployed."""

    environment: Environment
    live_version: str | None


@dataclass(frozen=True, slots=True)
class AppView:
    """An app as one who builds it sees it; `role` is that of the one who looks."""

    app: App
    role: AppRole
    environments: tuple[EnvironmentView, ...]


async def register_app(services: Services, actor: Actor, name: str) -> AppView:
    """A new app with its three built-in environments; its maker is its admin. Raises `Refused`."""
    cleaned = clean_name(name, "app's name")
    app, made = await services.store.write(apps.add_app, actor, cleaned)
    return AppView(app, AppRole.ADMIN, tuple(EnvironmentView(each, None) for each in made))


async def list_apps(services: Services, actor: Actor) -> tuple[AppView, ...]:
    """The apps that the actor builds, by name."""

    async def ask(reader: Reader) -> tuple[AppView, ...]:
        if actor.account_id is None:
            return ()
        mine = await apps.apps_of(reader, actor.account_id)
        return tuple([await _view(reader, app, role) for app, role in mine])

    return await services.store.read(ask)


async def show_app(services: Services, actor: Actor, app_id: str) -> AppView:
    """One app, for those who build it. Raises `Refused`."""

    async def ask(reader: Reader) -> AppView:
        role = await require_app_part(reader, actor, app_id)
        return await _view(reader, await _app(reader, app_id), role)

    return await services.store.read(ask)


async def app_members(services: Services, actor: Actor, app_id: str) -> tuple[AppMember, ...]:
    """Who builds an app, for those who do. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[AppMember, ...]:
        await require_app_part(reader, actor, app_id)
        return await apps.app_members(reader, app_id)

    return await services.store.read(ask)


async def set_app_member(
    services: Services, actor: Actor, app_id: str, account: str, role: AppRole
) -> AppMember:
    """Give an account, by id or email, a role on an app; by its admins. Raises `Refused`."""

    async def work(tx: Tx) -> AppMember:
        await require_app_admin(tx, actor, app_id)
        found = await account_named(tx, account)
        await apps.set_app_role(tx, actor, app_id, found.id, role)
        return AppMember(found.id, found.email, found.name, role)

    return await services.store.write(work)


async def end_app_member(services: Services, actor: Actor, app_id: str, account: str) -> None:
    """Take an account's role on an app away, by an admin of the app. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        await require_app_admin(tx, actor, app_id)
        members = await apps.app_members(tx, app_id)
        wanted = account.lower()
        found = next((m for m in members if wanted in (m.account_id, m.email)), None)
        if found is None:
            raise Refused(Reason.NOT_FOUND, "The account has no part in this app.")
        await apps.set_app_role(tx, actor, app_id, found.account_id, None)

    await services.store.write(work)


async def _app(reader: Reader, app_id: str) -> App:
    app = await apps.app_by_id(reader, app_id)
    if app is None:
        raise Refused(Reason.NOT_FOUND, "There is no such app.")
    return app


async def _view(reader: Reader, app: App, role: AppRole) -> AppView:
    found = await environments.environments_of(reader, app.id)
    numbers = await versions.newest_numbers(reader, [each.id for each in found])
    return AppView(app, role, tuple(EnvironmentView(each, numbers.get(each.id)) for each in found))
