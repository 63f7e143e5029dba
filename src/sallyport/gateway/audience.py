"""The names that an API has in `aud` of access tokens (RFC 8707): its base URLs."""

from __future__ import annotations

from sallyport.gateway.call import Call
from sallyport.model.registry import PRODUCTION
from sallyport.model.target import base_paths


def names_of(call: Call, public_url: str, site_url: str | None) -> frozenset[str]:
    """Every base URL of the installation that is called, contract section (d).

    By cloud id and by the site's host, both as they are configured; in production also without the
    environment.
    """
    assert call.site is not None
    assert call.installed is not None
    assert call.address is not None
    environment = call.installed.environment
    ids = (environment.id, None) if environment.key == PRODUCTION else (environment.id,)
    names = set()
    for each in ids:
        product, app_id = call.address.product, environment.app_id
        by_cloud_id, by_host = base_paths(product, call.site.id, app_id, each)
        names.add(public_url + by_cloud_id)
        if site_url is not None:
            names.add(site_url + by_host)
    return frozenset(names)
