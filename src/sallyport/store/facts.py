"""What the gateway must know of an installation before it can decide, in one read each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, select

from sallyport.model.registry import (
    PRODUCTION,
    App,
    Environment,
    Installation,
    Variable,
    Version,
)
from sallyport.store import schema
from sallyport.store.engine import Reader


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """One app environment as it stands on one product of one site.

    `installation` and `version` are None where it is not installed there; `version` is the newest
    minor of the installation's major. `enabled` is the REST APIs switch. Untrue after a change of
    `APP` (app id), `INSTALLATION` or `SWITCH` (`<site>/<environment>`) or `VERSION` (environment).
    """

    app: App
    environment: Environment
    installation: Installation | None
    version: Version | None
    enabled: bool


async def installation_facts(
    reader: Reader, site_id: str, app_id: str, environment_id: str | None, product: str
) -> InstallationFacts | None:
    """The facts of a call's address; None where there is no such app or no such environment of it.

    Without an environment id the production environment is meant, contract section (d).
    """
    app, environment = schema.app.c, schema.environment.c
    installation, version = schema.installation.c, schema.version.c
    switch = schema.rest_api_switch.c
    newest = schema.version.alias("newest")
    newest_minor = (
        select(func.max(newest.c.minor))
        .where(newest.c.environment_id == environment.id, newest.c.major == installation.major)
        .scalar_subquery()
    )
    row = await reader.first(
        select(
            app.name.label("app_name"),
            app.created_at.label("app_created_at"),
            environment.id.label("environment_id"),
            environment.key.label("environment_key"),
            environment.created_at.label("environment_created_at"),
            installation.id.label("installation_id"),
            installation.major,
            installation.installed_by,
            installation.created_at.label("installed_at"),
            version.id.label("version_id"),
            version.minor,
            version.manifest,
            version.bundle,
            version.tag,
            version.created_by,
            version.created_at.label("deployed_at"),
            switch.enabled,
        )
        .select_from(
            schema.app.join(schema.environment, environment.app_id == app.id)
            .outerjoin(
                schema.installation,
                and_(
                    installation.environment_id == environment.id,
                    installation.site_id == site_id,
                    installation.product == product,
                ),
            )
            .outerjoin(
                schema.version,
                and_(
                    version.environment_id == environment.id,
                    version.major == installation.major,
                    version.minor == newest_minor,
                ),
            )
            .outerjoin(
                schema.rest_api_switch,
                and_(switch.environment_id == environment.id, switch.site_id == site_id),
            )
        )
        .where(
            app.id == app_id,
            environment.key == PRODUCTION
            if environment_id is None
            else environment.id == environment_id,
        )
    )
    if row is None:
        return None
    installed = row.installation_id is not None and row.version_id is not None
    return InstallationFacts(
        app=App(app_id, row.app_name, row.app_created_at),
        environment=Environment(
            row.environment_id, app_id, row.environment_key, row.environment_created_at
        ),
        installation=Installation(
            row.installation_id,
            site_id,
            row.environment_id,
            product,
            row.major,
            row.installed_by,
            row.installed_at,
        )
        if installed
        else None,
        version=Version(
            row.version_id,
            row.environment_id,
            row.major,
            row.minor,
            row.manifest,
            row.bundle,
            row.tag,
            row.created_by,
            row.deployed_at,
        )
        if installed
        else None,
        enabled=bool(row.enabled),
    )


def variable_purpose(environment_id: str, key: str) -> str:
    """What a variable's sealed value is bound to."""
    return f"variable:{environment_id}/{key}"


async def variables_of(reader: Reader, environment_id: str) -> tuple[Variable, ...]:
    """Every variable of an environment with its value opened, by key; for the runtime alone.

    Untrue after a change of `VARIABLES` (environment id). Raises `Unsealable`.
    """
    variable = schema.variable.c
    rows = await reader.all(
        select(variable.key, variable.sealed, variable.secret)
        .where(variable.environment_id == environment_id)
        .order_by(variable.key)
    )
    return tuple(
        Variable(
            row.key,
            reader.sealer.open(row.sealed, variable_purpose(environment_id, row.key)).decode(),
            row.secret,
        )
        for row in rows
    )
