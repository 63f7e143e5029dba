"""What is installed where, at which version, with which switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select

from sallyport.model.directory import Site
from sallyport.model.registry import App, Environment, Installation
from sallyport.store import schema
from sallyport.store.engine import Reader

_INSTALLATION = schema.installation.c
_SWITCH = schema.rest_api_switch.c


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether a site lets calls in to an app environment; off until an admin turns it on."""

    enabled: bool
    changed_at: int | None
    changed_by: str | None


OFF = Switch(enabled=False, changed_at=None, changed_by=None)


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation with what it belongs to. `number` is the version that it runs now."""

    installation: Installation
    app: App
    environment: Environment
    site: Site
    version_id: str
    number: str
    newest_major: int
    newest_number: str
    switch: Switch

    @property
    def upgrade_available(self) -> bool:
        """A newer major waits for the site admin's word, contract section (k)."""
        return self.newest_major > self.installation.major


async def switch_of(reader: Reader, site_id: str, environment_id: str) -> Switch | None:
    """The switch of an installed app environment; None where it is not installed on the site."""
    installed = await reader.first(
        select(_INSTALLATION.id)
        .where(_INSTALLATION.site_id == site_id, _INSTALLATION.environment_id == environment_id)
        .limit(1)
    )
    if installed is None:
        return None
    row = await reader.first(
        select(schema.rest_api_switch).where(
            _SWITCH.site_id == site_id, _SWITCH.environment_id == environment_id
        )
    )
    return OFF if row is None else _switch(row)


async def installation_by_id(reader: Reader, installation_id: str) -> Installed | None:
    found = await _installed(reader, _INSTALLATION.id == installation_id)
    return found[0] if found else None


async def installations_of_site(reader: Reader, site_id: str) -> tuple[Installed, ...]:
    """What is installed on a site, by app name, environment and product."""
    return await _installed(reader, _INSTALLATION.site_id == site_id)


async def installations_seen_by(
    reader: Reader,
    account_id: str | None,
    *,
    app_id: str | None = None,
    environment: str | None = None,
    site: str | None = None,
    limit: int,
) -> tuple[Installed, ...]:
    """Installations of apps that an account builds and on sites that it belongs to.

    `environment` is a key; `site` a cloud id or a host; None as account sees everything.
    """
    conditions: list[ColumnElement[bool]] = []
    if account_id is not None:
        conditions.append(_seen_by(account_id))
    if app_id is not None:
        conditions.append(schema.environment.c.app_id == app_id)
    if environment is not None:
        conditions.append(schema.environment.c.key == environment)
    if site is not None:
        conditions.append(or_(schema.site.c.id == site, schema.site.c.host == site))
    return await _installed(reader, *conditions, limit=limit)


async def is_seen_through_a_site(reader: Reader, account_id: str, environment_id: str) -> bool:
    """Whether an app environment is installed on a site that the account belongs to."""
    found = await reader.first(
        select(_INSTALLATION.id)
        .select_from(
            schema.installation.join(schema.site, schema.site.c.id == _INSTALLATION.site_id)
        )
        .where(_INSTALLATION.environment_id == environment_id, _on_a_site_of(account_id))
        .limit(1)
    )
    return found is not None


def _on_a_site_of(account_id: str) -> ColumnElement[bool]:
    member, org_admin = schema.membership.c, schema.organization_admin.c
    return or_(
        schema.site.c.id.in_(select(member.site_id).where(member.account_id == account_id)),
        schema.site.c.organization_id.in_(
            select(org_admin.organization_id).where(org_admin.account_id == account_id)
        ),
    )


def _seen_by(account_id: str) -> ColumnElement[bool]:
    role = schema.app_role.c
    mine = select(role.app_id).where(role.account_id == account_id)
    return or_(schema.environment.c.app_id.in_(mine), _on_a_site_of(account_id))


async def _installed(
    reader: Reader, *conditions: ColumnElement[bool], limit: int | None = None
) -> tuple[Installed, ...]:
    app, environment, site = schema.app.c, schema.environment.c, schema.site.c
    live, newest = schema.version.alias("live"), schema.version.alias("newest")
    any_version = schema.version.alias("any_version")
    by_number = (any_version.c.major.desc(), any_version.c.minor.desc())
    of_environment = select(any_version.c.id).where(
        any_version.c.environment_id == _INSTALLATION.environment_id
    )
    live_id = of_environment.where(any_version.c.major == _INSTALLATION.major)
    rows = await reader.all(
        select(
            schema.installation,
            app.id.label("app_id"),
            app.name.label("app_name"),
            app.created_at.label("app_created_at"),
            environment.key.label("environment_key"),
            environment.created_at.label("environment_created_at"),
            site.organization_id,
            site.host,
            site.name.label("site_name"),
            site.created_at.label("site_created_at"),
            live.c.id.label("version_id"),
            live.c.minor.label("minor"),
            newest.c.major.label("newest_major"),
            newest.c.minor.label("newest_minor"),
            _SWITCH.enabled,
            _SWITCH.changed_at,
            _SWITCH.changed_by,
        )
        .select_from(
            schema.installation.join(
                schema.environment, environment.id == _INSTALLATION.environment_id
            )
            .join(schema.app, app.id == environment.app_id)
            .join(schema.site, site.id == _INSTALLATION.site_id)
            .join(
                live,
                live.c.id
                == live_id.order_by(*by_number)
                .limit(1)
                .correlate(schema.installation)
                .scalar_subquery(),
            )
            .join(
                newest,
                newest.c.id
                == of_environment.order_by(*by_number)
                .limit(1)
                .correlate(schema.installation)
                .scalar_subquery(),
            )
            .outerjoin(
                schema.rest_api_switch,
                and_(
                    _SWITCH.site_id == _INSTALLATION.site_id,
                    _SWITCH.environment_id == _INSTALLATION.environment_id,
                ),
            )
        )
        .where(*conditions)
        .order_by(app.name, app.id, environment.key, site.host, _INSTALLATION.product)
        .limit(limit)
    )
    products = await _products(reader, {row.site_id for row in rows})
    return tuple(_row(row, tuple(products.get(row.site_id, ()))) for row in rows)


async def _products(reader: Reader, site_ids: set[str]) -> dict[str, list[str]]:
    offered = schema.site_product.c
    rows = await reader.all(
        select(offered.site_id, offered.product)
        .where(offered.site_id.in_(sorted(site_ids)))
        .order_by(offered.product)
    )
    products: dict[str, list[str]] = {}
    for row in rows:
        products.setdefault(row.site_id, []).append(row.product)
    return products


def _switch(row: Row[Any]) -> Switch:
    return Switch(bool(row.enabled), row.changed_at, row.changed_by)


def _row(row: Row[Any], products: Sequence[str]) -> Installed:
    return Installed(
        installation=Installation(
            row.id,
            row.site_id,
            row.environment_id,
            row.product,
            row.major,
            row.installed_by,
            row.created_at,
        ),
        app=App(row.app_id, row.app_name, row.app_created_at),
        environment=Environment(
            row.environment_id, row.app_id, row.environment_key, row.environment_created_at
        ),
        site=Site(
            row.site_id,
            row.organization_id,
            row.host,
            row.site_name,
            tuple(products),
            row.site_created_at,
        ),
        version_id=row.version_id,
        number=f"{row.major}.{row.minor}",
        newest_major=row.newest_major,
        newest_number=f"{row.newest_major}.{row.newest_minor}",
        switch=OFF if row.enabled is None else _switch(row),
    )
