"""What a token may be for (RFC 8707): this platform, or one app's API, named by its base URL."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PRODUCT = "(?P<product>[a-z0-9][a-z0-9-]{0,63})"
_APP = f"/apps/(?P<app>{_ID})(?:_(?P<environment>{_ID}))?"
_BY_CLOUD_ID = re.compile(rf"/svc/{_PRODUCT}/(?P<site>{_ID}){_APP}", re.ASCII)
_BY_HOST = re.compile(rf"/gateway/api/svc/{_PRODUCT}{_APP}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BasePath:
    """The path of a base URL, contract section (d). `site_id` None: the host tells the site.

    `environment_id` None: production.
    """

    product: str
    site_id: str | None
    app_id: str
    environment_id: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """What a token is to be for. `site_id` and the namespace of the app are None for the platform.

    `resource` is what the token's `aud` says.
    """

    resource: str
    site_id: str | None = None
    namespace: str | None = None


def read_base_path(path: str) -> BasePath | None:
    """A path, if it has the shape of a base URL's. Says nothing of what is installed."""
    found = _BY_CLOUD_ID.fullmatch(path) or _BY_HOST.fullmatch(path)
    if found is None:
        return None
    named = found.groupdict()
    return BasePath(named["product"], named.get("site"), named["app"], named["environment"])


def split_base_url(text: str) -> tuple[str, str] | None:
    """What looks like a base URL, cut where its path begins; None for anything else."""
    for mark in ("/gateway/api/svc/", "/svc/"):
        at = text.find(mark)
        if at > 0 and read_base_path(text[at:]) is not None:
            return text[:at], text[at:]
    return None


def base_paths(
    product: str, site_id: str, app_id: str, environment_id: str | None
) -> tuple[str, str]:
    """The paths under which an app's API is reached: on any host, and on the site's own.

    Without `environment_id` those that mean production.
    """
    app = f"/apps/{app_id}" if environment_id is None else f"/apps/{app_id}_{environment_id}"
    return f"/svc/{product}/{site_id}{app}", f"/gateway/api/svc/{product}{app}"
