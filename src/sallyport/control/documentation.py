"""An app's API as its callers read it: routes, scopes, base URLs, for one environment.

For those who build the app and for members of sites that have it installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sallyport.control.services import Services
from sallyport.manifest import openapi
from sallyport.manifest.stored import from_json
from sallyport.model.directory import Actor
from sallyport.model.manifest import Manifest, ScopeDeclaration
from sallyport.model.registry import (
    BUILT_IN_ENVIRONMENTS,
    App,
    CustomScope,
    Environment,
    app_title,
)
from sallyport.store import apps, environments, installed, versions
from sallyport.store.authority import app_role
from sallyport.store.engine import Reader
from sallyport.store.installed import Installed
from sallyport.vocab.errors import Reason, Refused

MOST_PLACES = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where the environment is installed, with the two base URLs."""

    installed: Installed
    base_urls: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Documentation:
    """One environment. `number` and `manifest` are those of the version that callers meet.

    `others` are the keys of the app's other environments that the reader may see.
    """

    app: App
    title: str
    environment: Environment
    others: tuple[str, ...]
    number: str
    manifest: Manifest
    scopes: tuple[CustomScope, ...]
    places: tuple[Place, ...]


async def app_documentation(
    services: Services, actor: Actor, app_id: str, environment_key: str | None
) -> Documentation:
    """The documentation of one environment; without a key of the first that there is, production
    before staging before development. Raises `Refused`."""

    async def ask(reader: Reader) -> Documentation:
        app = await apps.app_by_id(reader, app_id)
        seen = await installed.installations_seen_by(
            reader, actor.account_id, app_id=app_id, limit=MOST_PLACES
        )
        described = await _described(reader, actor, app_id, seen)
        keys = sorted(described, key=_order)
        if app is None or not keys or (environment_key is not None and environment_key not in keys):
            raise Refused(
                Reason.NOT_FOUND,
                "There is no such API among those that you may read about.",
                fix="Check the app id; the app must be yours or installed on a site of yours.",
            )
        key = environment_key or keys[0]
        environment, number, text = described[key]
        return Documentation(
            app=app,
            title=app_title(app.name, key),
            environment=environment,
            others=tuple(each for each in keys if each != key),
            number=number,
            manifest=from_json(text),
            scopes=await environments.scopes_of(reader, environment.id),
            places=tuple(
                Place(
                    each,
                    services.base_urls(
                        each.site, each.installation.product, app_id, environment.id
                    ),
                )
                for each in seen
                if each.environment.id == environment.id
            ),
        )

    return await services.store.read(ask)


def openapi_document(services: Services, documentation: Documentation) -> dict[str, Any]:
    """The OpenAPI document for the first place where the environment is installed.

    Raises `Refused` where it is installed nowhere: there is no base URL to describe.
    """
    if not documentation.places:
        raise Refused(
            Reason.CONFLICT,
            "The app is not installed anywhere that you know of, so it has no base URL.",
            fix="Install it on a site first.",
        )
    place = documentation.places[0]
    return openapi.document(
        documentation.manifest,
        [
            ScopeDeclaration(each.name, each.description, each.display_name)
            for each in documentation.scopes
        ],
        title=documentation.title,
        version=documentation.number,
        base_url=place.base_urls[0],
        product=place.installed.installation.product,
        authorization_url=f"{services.public_url}/authorize",
        token_url=f"{services.public_url}/oauth/token",
    )


_Described = dict[str, tuple[Environment, str, str]]


async def _described(
    reader: Reader, actor: Actor, app_id: str, seen: tuple[Installed, ...]
) -> _Described:
    """Environment key -> environment, version number, manifest text.

    Builders read the newest version of every environment, others what runs on their sites.
    """
    found: _Described = {}
    texts = await versions.manifests(reader, {each.version_id for each in seen})
    for each in seen:
        found[each.environment.key] = (each.environment, each.number, texts[each.version_id])
    if actor.account_id is None or await app_role(reader, actor.account_id, app_id) is None:
        return found
    for environment in await environments.environments_of(reader, app_id):
        newest = await versions.newest_version(reader, environment.id)
        if newest is not None:
            found[environment.key] = (environment, newest.number, newest.manifest)
    return found


def _order(key: str) -> tuple[int, str]:
    known = ("production", "staging", "development")
    assert set(known) == set(BUILT_IN_ENVIRONMENTS)
    return (known.index(key) if key in known else len(known), key)
