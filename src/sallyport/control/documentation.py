"""An app's API as its callers read it: routes, scopes, base URLs, samples, for one environment.

For those who build the app and for members of sites that have it installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sallyport.control.services import Services
from sallyport.manifest import api_notes, openapi
from sallyport.manifest.paths import parse_path
from sallyport.manifest.samples import Sample, samples
from sallyport.manifest.stored import from_json
from sallyport.model.access import product_scope
from sallyport.model.api_notes import ApiNotes, FunctionNotes
from sallyport.model.directory import Actor
from sallyport.model.manifest import Manifest, Route, ScopeDeclaration
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

__all__ = [
    "REFUSALS",
    "Documentation",
    "Parameter",
    "Place",
    "RouteView",
    "app_documentation",
    "openapi_document",
]

MOST_PLACES = 200
REFUSALS = openapi.REFUSALS
DEFAULT_PRODUCT = "jira"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the environment is installed, with the two base URLs."""

    installed: Installed
    base_urls: tuple[str, str]

    @property
    def key(self) -> str:
        """What chooses it: `acme.example/jira`."""
        return f"{self.installed.site.host}/{self.installed.installation.product}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a route; `where` is `path` or `query`, `kind` the JSON type in words."""

    name: str
    where: str
    required: bool
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class RouteView:
    """A route with all that a caller needs to know of it. `scopes` are the app's own."""

    route: Route
    notes: FunctionNotes
    scopes: tuple[CustomScope, ...]
    parameters: tuple[Parameter, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Documentation:
    """One environment. `number` and `manifest` are those of the version that callers meet.

    `others` are the keys of the app's other environments that the reader may see. `place` is the
    one whose addresses are shown; without one they have `{cloud-id}` in the site's place.
    """

    app: App
    title: str
    environment: Environment
    others: tuple[str, ...]
    number: str
    manifest: Manifest
    notes: ApiNotes
    scopes: tuple[CustomScope, ...]
    places: tuple[Place, ...]
    place: Place | None
    product: str
    base_urls: tuple[str, ...]
    routes: tuple[RouteView, ...]

    @property
    def product_scope(self) -> str:
        """What every call needs besides the route's own scopes."""
        return product_scope(self.product)


async def app_documentation(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str | None,
    *,
    place: str | None = None,
    anywhere: bool = False,
) -> Documentation:
    """The documentation of one environment; without a key of the first that there is, production
    before staging before development.

    `place` chooses one of the reader's own, `acme.example/jira` or a host alone; by default the
    first. With `anywhere` none is: for readers whose sites the writer does not know. Raises
    `Refused`.
    """

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
        environment, number, text, version_id = described[key]
        places = tuple(
            Place(
                each,
                services.base_urls(each.site, each.installation.product, app_id, environment.id),
            )
            for each in seen
            if each.environment.id == environment.id
        )
        chosen = None if anywhere else _chosen(places, place)
        product = chosen.installed.installation.product if chosen else _product(places)
        base_urls: tuple[str, ...] = (
            chosen.base_urls
            if chosen is not None
            else services.base_url_patterns(product, app_id, environment.id)
        )
        manifest = from_json(text)
        said = await versions.notes_of(reader, version_id)
        notes = api_notes.from_json(said) if said is not None else {}
        scopes = await environments.scopes_of(reader, environment.id)
        return Documentation(
            app=app,
            title=app_title(app.name, key),
            environment=environment,
            others=tuple(each for each in keys if each != key),
            number=number,
            manifest=manifest,
            notes=notes,
            scopes=scopes,
            places=places,
            place=chosen,
            product=product,
            base_urls=base_urls,
            routes=_routes(manifest, notes, scopes, base_urls[0]),
        )

    return await services.store.read(ask)


def openapi_document(services: Services, documentation: Documentation) -> dict[str, Any]:
    """The OpenAPI document for the place whose addresses are shown, or for any."""
    return openapi.document(
        documentation.manifest,
        [
            ScopeDeclaration(each.name, each.description, each.display_name)
            for each in documentation.scopes
        ],
        title=documentation.title,
        version=documentation.number,
        base_url=documentation.base_urls[0],
        product=documentation.product,
        authorization_url=f"{services.public_url}/authorize",
        token_url=f"{services.public_url}/oauth/token",
        notes=documentation.notes,
    )


def _chosen(places: tuple[Place, ...], wanted: str | None) -> Place | None:
    if wanted is None:
        return places[0] if places else None
    for each in places:
        if wanted.lower() in (each.key, each.installed.site.host, each.installed.site.id):
            return each
    raise Refused(
        Reason.NOT_FOUND,
        "The app is not installed there, or the site is not one of yours.",
        fix="Choose one of: " + (", ".join(each.key for each in places) or "none yet") + ".",
    )


def _product(places: tuple[Place, ...]) -> str:
    return places[0].installed.installation.product if places else DEFAULT_PRODUCT


def _routes(
    manifest: Manifest, notes: ApiNotes, scopes: tuple[CustomScope, ...], base_url: str
) -> tuple[RouteView, ...]:
    said = openapi.notes_of(manifest, notes)
    registered = {each.name: each for each in scopes}
    return tuple(
        RouteView(
            route,
            said[route.key],
            tuple(registered[each] for each in route.scopes if each in registered),
            _parameters(route, said[route.key]),
            samples(route, said[route.key], base_url),
        )
        for route in manifest.routes
    )


def _parameters(route: Route, notes: FunctionNotes) -> tuple[Parameter, ...]:
    _, in_path = openapi.path_parameters(parse_path(route.path), notes)
    return (
        *(
            Parameter(
                each["name"], "path", True, _kind(each["schema"]), each.get("description", "")
            )
            for each in in_path
        ),
        *(
            Parameter(name, "query", each.required, _kind(each.schema), each.description)
            for name, each in notes.query.items()
        ),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema's type in words: `string`, `integer or null`; `any` where it says none."""
    kind = schema.get("type")
    return " or ".join(kind) if isinstance(kind, list) else str(kind or "any")


_Described = dict[str, tuple[Environment, str, str, str]]


async def _described(
    reader: Reader, actor: Actor, app_id: str, seen: tuple[Installed, ...]
) -> _Described:
    """Environment key -> environment, version number, manifest text, version id.

    Builders read the newest version of every environment, others what runs on their sites.
    """
    found: _Described = {}
    texts = await versions.manifests(reader, {each.version_id for each in seen})
    for each in seen:
        version = (each.environment, each.number, texts[each.version_id], each.version_id)
        found[each.environment.key] = version
    if actor.account_id is None or await app_role(reader, actor.account_id, app_id) is None:
        return found
    for environment in await environments.environments_of(reader, app_id):
        newest = await versions.newest_version(reader, environment.id)
        if newest is not None:
            found[environment.key] = (environment, newest.number, newest.manifest, newest.id)
    return found


def _order(key: str) -> tuple[int, str]:
    known = ("production", "staging", "development")
    assert set(known) == set(BUILT_IN_ENVIRONMENTS)
    return (known.index(key) if key in known else len(known), key)
