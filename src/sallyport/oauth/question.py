"""The question that consent asks: what a person is shown about a request."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from sallyport.manifest.load import from_json
from sallyport.model.access import OFFLINE_ACCESS, ClientKind
from sallyport.model.consent import ConsentView, RouteLine, ScopeLine, SiteChoice
from sallyport.model.directory import Account
from sallyport.model.manifest import Route
from sallyport.oauth.asking import Asking
from sallyport.scopes.grammar import is_custom
from sallyport.store.consent import ConsentSite

_PRODUCT_SCOPE = "read:forge-app:"


def sites_that_cover(asking: Asking, sites: Iterable[ConsentSite]) -> list[ConsentSite]:
    """The sites whose link allows every scope of the request."""
    wanted = asking.scopes - {OFFLINE_ACCESS}
    return [each for each in sites if wanted <= each.link.scopes | each.link.product_scopes]


def remembered_site(asking: Asking, sites: list[ConsentSite]) -> ConsentSite | None:
    """The one site where an earlier yes covers the whole request, so that nobody need be asked.

    A public client is always asked about: whoever can receive its redirect could pose as it
    (RFC 8252 section 8.6).
    """
    if asking.client.kind is ClientKind.PUBLIC or len(sites) != 1:
        return None
    return sites[0] if asking.scopes <= sites[0].consented else None


def new_scopes(asking: Asking, sites: list[ConsentSite]) -> frozenset[str]:
    """What the person is asked for anew: all of it, unless the one site has allowed a part."""
    consented = sites[0].consented if len(sites) == 1 else frozenset()
    return asking.scopes - consented or asking.scopes


def draw_question(
    asking: Asking, account: Account, owner: Account | None, sites: list[ConsentSite]
) -> ConsentView:
    """The request in words; `sites` has at least one entry."""
    assert asking.redirect_uri is not None
    back = urlsplit(asking.redirect_uri)
    routes = [
        route
        for text in sorted({text for each in sites for text in each.manifests})
        for route in from_json(text).routes
    ]
    new = new_scopes(asking, sites)
    shown = _in_order(new - {OFFLINE_ACCESS})
    already = _in_order(asking.scopes - new - {OFFLINE_ACCESS})
    return ConsentView(
        integration_name=asking.client.name,
        integration_owner=owner.name if owner is not None else "",
        app_name=asking.asked.app.name,
        environment_key=asking.asked.environment.key,
        account_name=account.name,
        account_email=account.email,
        redirect_host=back.netloc,
        redirect_origin=f"{back.scheme}://{back.netloc}",
        sites=tuple(SiteChoice(each.site.id, each.site.host, each.site.name) for each in sites),
        chosen=sites[0].site.id if len(sites) == 1 else None,
        scopes=tuple(_line(asking, name, routes) for name in shown),
        already=tuple(_line(asking, name, routes) for name in already),
        stays_connected=OFFLINE_ACCESS in new,
        fields=asking.parameters.pairs(),
    )


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (not is_custom(name), name))


def _line(asking: Asking, name: str, routes: Iterable[Route]) -> ScopeLine:
    registered = asking.asked.scopes.get(name)
    if registered is None:
        return _product_line(name)
    opened = {(each.path, each.operation) for each in routes if name in each.scopes}
    return ScopeLine(
        name=name,
        title=registered.display_name or name,
        description=registered.description,
        routes=tuple(RouteLine(operation, path) for path, operation in sorted(opened)),
    )


def _product_line(name: str) -> ScopeLine:
    product = name.removeprefix(_PRODUCT_SCOPE).capitalize()
    return ScopeLine(
        name=name,
        title=f"Reach apps on {product}",
        description=f"Needed to call an app's API on {product}. Opens nothing by itself.",
        routes=(),
    )
