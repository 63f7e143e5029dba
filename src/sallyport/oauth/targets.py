"""`resource` (RFC 8707): which API a token is to be for, from what is installed now."""

from __future__ import annotations

from sallyport.model.target import Target, read_base_path, split_base_url
from sallyport.oauth.deps import OAuth
from sallyport.oauth.parameters import Parameters
from sallyport.store.directory import site_by_host, site_by_id
from sallyport.store.facts import installation_facts
from sallyport.tokens.policy import INVALID_TARGET
from sallyport.vocab.urls import read_url

RESOURCE = "resource"


class UnknownTarget(Exception):
    """`resource` names nothing that a token can be for. The text says what it must be."""

    error = INVALID_TARGET


async def asked_target(oauth: OAuth, parameters: Parameters) -> Target | None:
    """What `resource` names; None where it is absent. Raises `UnknownTarget`."""
    if RESOURCE not in parameters.sent:
        return None
    if RESOURCE in parameters.repeated:
        raise UnknownTarget("A token is for one resource; send resource once.")
    text = parameters.get(RESOURCE) or ""
    if text.removesuffix("/") == oauth.issuer:
        return Target(oauth.issuer)
    found = await _installed_api(oauth, text)
    if found is None:
        raise UnknownTarget(
            "resource must be the base URL of an app's API on a site where the app is installed, "
            "as it stands beside the integration, or this platform's own address."
        )
    return found


async def _installed_api(oauth: OAuth, text: str) -> Target | None:
    """The API of one app on one site, by either form of its base URL, contract section (d)."""
    cut = split_base_url(text)
    path = read_base_path(cut[1]) if cut is not None else None
    if cut is None or path is None:
        return None
    if path.site_id is not None:
        site = await oauth.store.read(site_by_id, path.site_id)
        base = oauth.issuer
    else:
        try:
            site = await oauth.store.read(site_by_host, read_url(cut[0]).host)
        except ValueError:
            return None
        base = oauth.site_url(site) if site is not None else ""
    if site is None or cut[0] != base:
        return None
    facts = await oauth.store.read(
        installation_facts, site.id, path.app_id, path.environment_id, path.product
    )
    if facts is None or facts.installation is None:
        return None
    return Target(text, site.id, facts.environment.namespace)
