"""What consoles show: the apps of a site, what may be installed, what each scope opens."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.places import site_of_member
from sallyport.control.scopes import visible_environment
from sallyport.control.services import Services
from sallyport.manifest.load import from_json
from sallyport.model.access import product_scope
from sallyport.model.directory import Actor, Site, SiteRole
from sallyport.model.manifest import Route
from sallyport.model.registry import App, CustomScope, Environment, app_title
from sallyport.scopes.openings import scope_routes
from sallyport.store import apps, environments, installed, versions
from sallyport.store.authority import site_role
from sallyport.store.engine import Reader
from sallyport.store.installed import Installed
from sallyport.vocab.errors import Reason, Refused


@dataclass(frozen=True, slots=True)
class ScopeOpening:
    """A custom scope and the routes that need it."""

    scope: CustomScope
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One installation as its site sees it, with the routes of the version that it runs."""

    installed: Installed
    title: str
    base_urls: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class SiteApps:
    """The connected apps of a site, as an account with `role` sees them."""

    site: Site
    role: SiteRole
    apps: tuple[ConnectedApp, ...]


@dataclass(frozen=True, slots=True)
class AppOnSite:
    """One app environment on one site: `installations` has an entry for each product."""

    site: Site
    role: SiteRole
    title: str
    app: App
    environment: Environment
    installations: tuple[ConnectedApp, ...]
    scopes: tuple[ScopeOpening, ...]
    product_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Installable:
    """An app environment that the actor builds and that has a version to install."""

    app: App
    environment: Environment
    title: str
    version: str


async def connected_apps(services: Services, actor: Actor, site: str) -> SiteApps:
    """What is installed on a site, for its members. Raises `Refused`."""

    async def ask(reader: Reader) -> SiteApps:
        found = await site_of_member(reader, actor, site)
        role = await _role(reader, actor, found)
        here = await installed.installations_of_site(reader, found.id)
        return SiteApps(found, role, await _connected(services, reader, here))

    return await services.store.read(ask)


async def app_on_site(
    services: Services, actor: Actor, site: str, app_id: str, environment_key: str
) -> AppOnSite:
    """One app environment of a site with its scopes, for members of the site. Raises `Refused`."""

    async def ask(reader: Reader) -> AppOnSite:
        found = await site_of_member(reader, actor, site)
        role = await _role(reader, actor, found)
        here = tuple(
            each
            for each in await installed.installations_of_site(reader, found.id)
            if each.app.id == app_id and each.environment.key == environment_key
        )
        if not here:
            raise Refused(
                Reason.NOT_FOUND,
                "This environment of the app is not installed on this site.",
                fix="Check the app and the environment, or install the app first.",
            )
        connected = await _connected(services, reader, here)
        routes = tuple(dict.fromkeys(route for each in connected for route in each.routes))
        environment = here[0].environment
        return AppOnSite(
            site=found,
            role=role,
            title=connected[0].title,
            app=here[0].app,
            environment=environment,
            installations=connected,
            scopes=await _openings(reader, environment, routes),
            product_scopes=tuple(sorted(product_scope(each.installation.product) for each in here)),
        )

    return await services.store.read(ask)


async def environment_scopes(
    services: Services, actor: Actor, app_id: str, environment_key: str
) -> tuple[ScopeOpening, ...]:
    """The scopes of an environment with the routes of its newest version that each opens.

    For builders of the app and members of sites that have it installed. Raises `Refused`.
    """

    async def ask(reader: Reader) -> tuple[ScopeOpening, ...]:
        environment = await visible_environment(reader, actor, app_id, environment_key)
        newest = await versions.newest_version(reader, environment.id)
        routes = from_json(newest.manifest).routes if newest is not None else ()
        return await _openings(reader, environment, routes)

    return await services.store.read(ask)


async def installable_apps(services: Services, actor: Actor) -> tuple[Installable, ...]:
    """The deployed environments of the apps that the actor builds, by name.

    Other apps are installed by their id, which their developer gives out: the platform lists
    nobody's apps to strangers.
    """

    async def ask(reader: Reader) -> tuple[Installable, ...]:
        found = []
        mine = await apps.apps_of(reader, actor.account_id) if actor.account_id else ()
        for app, _role_held in mine:
            places = await environments.environments_of(reader, app.id)
            numbers = await versions.newest_numbers(reader, [each.id for each in places])
            found += [
                Installable(app, each, app_title(app.name, each.key), numbers[each.id])
                for each in places
                if each.id in numbers
            ]
        return tuple(found)

    return await services.store.read(ask)


async def _connected(
    services: Services, reader: Reader, items: tuple[Installed, ...]
) -> tuple[ConnectedApp, ...]:
    texts = await versions.manifests(reader, {each.version_id for each in items})
    routes = {version_id: from_json(text).routes for version_id, text in texts.items()}
    return tuple(
        ConnectedApp(
            each,
            app_title(each.app.name, each.environment.key),
            services.base_urls(
                each.site, each.installation.product, each.app.id, each.environment.id
            ),
            routes[each.version_id],
        )
        for each in items
    )


async def _openings(
    reader: Reader, environment: Environment, routes: tuple[Route, ...]
) -> tuple[ScopeOpening, ...]:
    registered = await environments.scopes_of(reader, environment.id)
    return tuple(ScopeOpening(scope, scope_routes(routes, scope.name)) for scope in registered)


async def _role(reader: Reader, actor: Actor, site: Site) -> SiteRole:
    role = await site_role(reader, actor.account_id, site.id) if actor.account_id else None
    return role or SiteRole.ADMIN
