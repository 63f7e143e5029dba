"""Where each fact comes from, and which changes make it untrue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sallyport.gateway.context import installation_context
from sallyport.gateway.facts import ANY, Loaded, Source
from sallyport.manifest.stored import from_json
from sallyport.manifest.table import RouteTable, compile_routes
from sallyport.model.access import Grant, Integration, TokenFamily
from sallyport.model.directory import Site, SiteRole
from sallyport.model.manifest import Function, Manifest
from sallyport.model.registry import App, Environment, Installation, Version
from sallyport.runtime.bundle import bundle_path
from sallyport.runtime.call import Permissions, Target
from sallyport.store import authority, directory, grants, integrations
from sallyport.store.changes import Change, Kind
from sallyport.store.engine import Store
from sallyport.store.facts import InstallationFacts, installation_facts, variables_of


@dataclass(frozen=True, slots=True)
class Compiled:
    """A deployed version made ready for calls; all of its installations hold the same one."""

    text: str
    manifest: Manifest
    table: RouteTable
    functions: dict[str, Function]
    handlers: tuple[str, ...]
    permissions: Permissions


@dataclass(frozen=True, slots=True)
class Installed:
    """One installation as a call meets it: its routes, its code, its switch."""

    app: App
    environment: Environment
    installation: Installation
    version: Version
    enabled: bool
    compiled: Compiled
    target: Target
    context: Mapping[str, Any]


InstalledKey = tuple[str, str, str | None, str]
"""Cloud id, app id, environment id (None means production), product."""


LinkedKey = tuple[str, str, str]
"""Client id, cloud id, environment id."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Every sort of fact that the steps may ask for."""

    site_by_id: Source[str, Site | None]
    site_by_host: Source[str, Site | None]
    installed: Source[InstalledKey, Installed | None]
    family: Source[str, TokenFamily | None]
    grant: Source[str, Grant | None]
    integration: Source[LinkedKey, Integration | None]
    role: Source[tuple[str, str], SiteRole | None]


def make_sources(bundles: Path) -> Sources:
    """The sources, for app code that lies under `bundles`."""

    async def load_installed(store: Store, key: InstalledKey) -> Loaded[Installed | None]:
        return await _installed(store, key, bundles)

    return Sources(
        site_by_id=Source("site_by_id", _site_by_id),
        site_by_host=Source("site_by_host", _site_by_host),
        installed=Source("installed", load_installed),
        family=Source("family", _family),
        grant=Source("grant", _grant),
        integration=Source("integration", _integration),
        role=Source("role", _role),
    )


async def _site_by_id(store: Store, cloud_id: str) -> Loaded[Site | None]:
    site = await store.read(directory.site_by_id, cloud_id)
    return Loaded(site, (Change(Kind.SITE, cloud_id),))


async def _site_by_host(store: Store, host: str) -> Loaded[Site | None]:
    site = await store.read(directory.site_by_host, host)
    return Loaded(site, (Change(Kind.SITE, site.id if site is not None else ANY),))


async def _installed(store: Store, key: InstalledKey, bundles: Path) -> Loaded[Installed | None]:
    site_id, app_id, environment_id, product = key
    facts = await store.read(installation_facts, site_id, app_id, environment_id, product)
    if facts is None:
        return Loaded(None, (Change(Kind.APP, app_id), Change(Kind.INSTALLATION, ANY)))
    environment = facts.environment
    here = f"{site_id}/{environment.id}"
    tags = (
        Change(Kind.APP, app_id),
        Change(Kind.INSTALLATION, here),
        Change(Kind.SWITCH, here),
        Change(Kind.VERSION, environment.id),
        Change(Kind.VARIABLES, environment.id),
    )
    if facts.installation is None or facts.version is None:
        return Loaded(None, tags)
    variables = await store.read(variables_of, environment.id)
    return Loaded(
        _ready(
            facts,
            facts.installation,
            facts.version,
            tuple((each.key, each.value or "") for each in variables),
            bundles,
        ),
        tags,
    )


def _ready(
    facts: InstallationFacts,
    installation: Installation,
    version: Version,
    variables: tuple[tuple[str, str], ...],
    bundles: Path,
) -> Installed:
    compiled = _compile(version.manifest)
    manifest = compiled.manifest
    # Each row brings a copy of the text; one is enough.
    version = replace(version, manifest=compiled.text)
    return Installed(
        app=facts.app,
        environment=facts.environment,
        installation=installation,
        version=version,
        enabled=facts.enabled,
        compiled=compiled,
        target=Target(
            installation_id=installation.id,
            site_id=installation.site_id,
            environment_id=installation.environment_id,
            bundle_dir=bundle_path(bundles, version.bundle),
            functions=compiled.handlers,
            variables=variables,
            memory_mb=manifest.runtime.memory_mb,
            runtime=manifest.runtime.name,
            permissions=compiled.permissions,
        ),
        context=installation_context(facts.app, facts.environment, installation, version, manifest),
    )


@lru_cache(maxsize=512)
def manifest_of(manifest: str) -> Manifest:
    """A version's manifest, read once for all of its installations and calls."""
    return from_json(manifest)


@lru_cache(maxsize=512)
def _compile(text: str) -> Compiled:
    """One compiled table serves every installation of a version."""
    manifest = manifest_of(text)
    return Compiled(
        text=text,
        manifest=manifest,
        table=compile_routes(manifest.routes),
        functions={each.key: each for each in manifest.functions},
        handlers=tuple(sorted({each.handler for each in manifest.functions})),
        permissions=Permissions(manifest.permissions_scopes, manifest.external_fetch_backend),
    )


async def _family(store: Store, family_id: str) -> Loaded[TokenFamily | None]:
    family = await store.read(grants.family_by_id, family_id)
    return Loaded(family, (Change(Kind.FAMILY, family_id),))


async def _grant(store: Store, grant_id: str) -> Loaded[Grant | None]:
    grant = await store.read(grants.grant_by_id, grant_id)
    return Loaded(grant, (Change(Kind.GRANT, grant_id),))


async def _integration(store: Store, key: LinkedKey) -> Loaded[Integration | None]:
    client_id, site_id, environment_id = key
    integration = await store.read(
        integrations.integration_linked, client_id, site_id, environment_id
    )
    return Loaded(integration, (Change(Kind.INTEGRATION, client_id),))


async def _role(store: Store, key: tuple[str, str]) -> Loaded[SiteRole | None]:
    account_id, site_id = key
    role = await store.read(authority.site_role, account_id, site_id)
    return Loaded(
        role,
        (Change(Kind.MEMBERSHIP, f"{account_id}/{site_id}"), Change(Kind.ACCOUNT, account_id)),
    )
