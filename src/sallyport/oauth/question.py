"""The question that consent asks: what a person is shown about a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from sallyport.manifest.load import from_json
from sallyport.model.access import OFFLINE_ACCESS, ClientKind
from sallyport.model.consent import ConsentView, RouteLine, ScopeLine, SiteChoice
from sallyport.model.directory import Account
from sallyport.model.manifest import Route
from sallyport.oauth.asking import Asking, Stop
from sallyport.oauth.errors import ACCESS_DENIED
from sallyport.scopes.grammar import is_custom
from sallyport.store.consent import ConsentSite

_PRODUCT_SCOPE = "read:forge-app:"


def sites_that_cover(asking: Asking, sites: Iterable[ConsentSite]) -> list[ConsentSite]:
    """The sites whose link allows every scope of the request."""
    wanted = asking.scopes - {OFFLINE_ACCESS}
    return [each for each in sites if wanted <= each.link.scopes | each.link.product_scopes]


def optional_scopes(asking: Asking, sites: Iterable[ConsentSite]) -> frozenset[str]:
    """What may be left out of the request, whichever of the sites is chosen."""
    return frozenset.intersection(asking.scopes, *(each.link.optional for each in sites))


def remembered_site(asking: Asking, sites: list[ConsentSite]) -> ConsentSite | None:
    """The one site where an earlier yes covers the request, so that nobody need be asked.

    Optional scopes that were left out then stay out, and are not asked about again. A public client
    is always asked about: whoever can receive its redirect could pose as it (RFC 8252 section 8.6).
    """
    if asking.client.kind is ClientKind.PUBLIC or len(sites) != 1:
        return None
    given = asking.scopes & sites[0].consented
    required = asking.scopes - optional_scopes(asking, sites)
    return sites[0] if required <= given and any(map(is_custom, given)) else None


def declined_scopes(
    asking: Asking, site: ConsentSite, offered: Iterable[str], kept: Iterable[str]
) -> frozenset[str]:
    """The scopes that were offered as optional and left out.

    Raises `Stop` where one of them is optional no more, or where no scope of the app remains.
    """
    declined = asking.scopes & (frozenset(offered) - frozenset(kept))
    if not declined <= site.link.optional:
        raise Stop(
            ACCESS_DENIED,
            "What may be left out changed while you decided.",
            title="Something changed",
            fix="Start again from the integration.",
        )
    if not any(map(is_custom, asking.scopes - declined)):
        raise Stop(
            ACCESS_DENIED,
            "Nothing of the app is left to allow.",
            title="Nothing to allow",
            fix="Go back and keep at least one of the app's scopes, or press Deny.",
        )
    return declined


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
    optional = optional_scopes(asking, sites)
    before = sites[0].consented if len(sites) == 1 else frozenset()
    shown = _in_order(new - {OFFLINE_ACCESS})
    already = _in_order(asking.scopes - new - {OFFLINE_ACCESS})
    return ConsentView(
        integration_name=asking.client.name,
        integration_owner=owner.name if owner is not None else "",
        verified=asking.client.verified_at is not None,
        app_name=asking.asked.app.name,
        environment_key=asking.asked.environment.key,
        account_name=account.name,
        account_email=account.email,
        redirect_host=back.netloc,
        redirect_origin=f"{back.scheme}://{back.netloc}",
        sites=tuple(SiteChoice(each.site.id, each.site.host, each.site.name) for each in sites),
        chosen=sites[0].site.id if len(sites) == 1 else None,
        scopes=tuple(
            replace(
                _line(asking, name, routes),
                optional=name in optional,
                picked=name not in optional or not before or name in before,
            )
            for name in shown
        ),
        already=tuple(_line(asking, name, routes) for name in already),
        stays_connected=OFFLINE_ACCESS in new,
        fields=asking.carried(),
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
