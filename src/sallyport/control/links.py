"""Links of integrations to installed apps: who may make one, with which scopes, and how it looks.

Contract section (f.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sallyport.control.callbacks import authorization_url
from sallyport.control.places import site_of_member
from sallyport.control.services import Services
from sallyport.model.access import Integration, IntegrationLink, product_scope
from sallyport.model.approval import ScopeStanding, ScopeState, standings
from sallyport.model.directory import Actor, Site
from sallyport.model.registry import App, Environment
from sallyport.store import approvals, apps, directory, environments, installed
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused

MOST_LINKS = 50


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A link as asked for. `site` is a cloud id or a host, `environment` a key.

    `optional_scopes` are those of the others that an account may leave out when it consents. `note`
    is for the site's admins, where they have to approve.
    """

    site: str
    app_id: str
    environment: str
    scopes: tuple[str, ...]
    product_scopes: tuple[str, ...]
    optional_scopes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link with all that its user needs: where to send people, and what to call then.

    `standings` tells of scopes that admins of the site were asked for, or took back.
    """

    link: IntegrationLink
    site: Site
    app: App
    environment: Environment
    authorization_url: str
    base_urls: tuple[str, ...]
    standings: tuple[ScopeStanding, ...]


async def check_link(reader: Reader, actor: Actor, wanted: LinkRequest) -> IntegrationLink:
    """The link, where the actor is a member of the site and the app is installed there.

    Scopes must be registered, product scopes be of products it is installed on. Raises `Refused`.
    """
    site = await site_of_member(reader, actor, wanted.site)
    environment = await environments.environment_by_key(reader, wanted.app_id, wanted.environment)
    products = await _products(reader, site, environment)
    if environment is None or not products:
        raise Refused(
            Reason.NOT_FOUND,
            f"This environment of the app is not installed on {site.name}.",
            fix="Check the app and the environment, or ask an admin of the site to install it.",
        )
    registered = {each.name for each in await environments.scopes_of(reader, environment.id)}
    scopes, product_scopes = frozenset(wanted.scopes), frozenset(wanted.product_scopes)
    if not scopes:
        raise _invalid(
            "An integration needs at least one custom scope of the app.",
            f"Choose from: {_listed(registered)}.",
            "scopes",
        )
    if not scopes <= registered:
        raise _invalid(
            f"Not registered by this app in {environment.key}: {_listed(scopes - registered)}.",
            f"Choose from: {_listed(registered)}.",
            "scopes",
        )
    offered = {product_scope(product) for product in products}
    if not product_scopes <= offered:
        raise _invalid(
            f"The app is not installed here on the product of {_listed(product_scopes - offered)}.",
            f"Choose from: {_listed(offered)}.",
            "product_scopes",
        )
    optional = frozenset(wanted.optional_scopes)
    if not optional <= scopes | product_scopes:
        raise _invalid(
            "Optional, and not among the scopes of the link: "
            f"{_listed(optional - scopes - product_scopes)}.",
            "An optional scope is one that the integration may ask for; add it to the scopes too.",
            "optional_scopes",
        )
    return IntegrationLink(
        site.id, environment.app_id, environment.id, scopes, product_scopes, optional
    )


async def link_views(
    services: Services, reader: Reader, integration: Integration
) -> tuple[LinkView, ...]:
    """The links of an integration, each complete."""
    views = []
    for link in integration.links:
        site = await directory.site_by_id(reader, link.site_id)
        app = await apps.app_by_id(reader, link.app_id)
        environment = await environments.environment_by_id(reader, link.environment_id)
        if site is None or app is None or environment is None:
            continue
        products = await _products(reader, site, environment)
        history = await approvals.approvals_of_link(
            reader, integration.client_id, site.id, environment.id
        )
        states = standings(link, history)
        awaited = {each.scope for each in states if each.state is ScopeState.AWAITED}
        views.append(
            LinkView(
                link=link,
                site=site,
                app=app,
                environment=environment,
                authorization_url=authorization_url(
                    services.public_url,
                    integration.client_id,
                    integration.redirect_uris[0],
                    link.scopes | link.product_scopes | awaited,
                    environment.namespace,
                    pkce=not integration.forge_compatible,
                ),
                base_urls=tuple(
                    url
                    for product in products
                    for url in services.base_urls(site, product, app.id, environment.id)
                ),
                standings=states,
            )
        )
    return tuple(views)


def require_room(integration: Integration, link: IntegrationLink) -> None:
    """An integration has a bounded number of links. Raises `Refused`."""
    held = {(each.site_id, each.environment_id) for each in integration.links}
    if (link.site_id, link.environment_id) not in held and len(held) >= MOST_LINKS:
        raise Refused(
            Reason.CONFLICT,
            f"An integration has at most {MOST_LINKS} links.",
            fix="Remove a link that is no longer needed, or make another integration.",
        )


async def offered_product_scopes(
    reader: Reader, actor: Actor, site: str, app_id: str, environment: str
) -> tuple[str, ...]:
    """The product scopes of every product that the app is installed on there. Raises `Refused`."""
    found = await site_of_member(reader, actor, site)
    named = await environments.environment_by_key(reader, app_id, environment)
    return tuple(product_scope(each) for each in await _products(reader, found, named))


async def _products(reader: Reader, site: Site, environment: Environment | None) -> Sequence[str]:
    if environment is None:
        return ()
    here = await installed.installations_of_site(reader, site.id)
    return [each.installation.product for each in here if each.environment.id == environment.id]


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) if names else "none there yet"


def _invalid(detail: str, fix: str, field: str) -> Refused:
    return Refused(Reason.INVALID_INPUT, detail, fix=fix, members={"field": field})
