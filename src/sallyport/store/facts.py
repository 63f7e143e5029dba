"""What the gateway must know of an installation before it can decide, in one read each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, func, select

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
from sallyport.store.prepared import Prepared


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


def _prepare(which: ColumnElement[bool]) -> Prepared:
    app, environment = schema.app.c, schema.environment.c
    installation, version = schema.installation.c, schema.version.c
    switch = schema.rest_api_switch.c
    newest = schema.version.alias("newest")
    site_id: BindParameter[str] = bindparam("site_id")
    newest_minor = (
        select(func.max(newest.c.minor))
        .where(newest.c.environment_id == environment.id, newest.c.major == installation.major)
        .scalar_subquery()
    )
    return Prepared(
        select(
            app.name,
            app.created_at,
            environment.id,
            environment.key,
            environment.created_at,
            switch.enabled,
            installation.id,
            installation.major,
            installation.installed_by,
            installation.created_at,
            version.id,
            version.minor,
            version.manifest,
            version.bundle,
            version.tag,
            version.created_by,
            version.created_at,
        )
        .select_from(
            schema.app.join(schema.environment, environment.app_id == app.id)
            .outerjoin(
                schema.installation,
                and_(
                    installation.environment_id == environment.id,
                    installation.site_id == site_id,
                    installation.product == bindparam("product"),
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
        .where(app.id == bindparam("app_id"), which)
    )


_OF_ENVIRONMENT = _prepare(schema.environment.c.id == bindparam("environment_id"))
_OF_PRODUCTION = _prepare(schema.environment.c.key == PRODUCTION)


async def installation_facts(
    reader: Reader, site_id: str, app_id: str, environment_id: str | None, product: str
) -> InstallationFacts | None:
    """The facts of a call's address; None where there is no such app or no such environment of it.

    Without an environment id the production environment is meant, contract section (d).
    """
    here = {"site_id": site_id, "app_id": app_id, "product": product}
    if environment_id is None:
        row = await reader.one(_OF_PRODUCTION, **here)
    else:
        row = await reader.one(_OF_ENVIRONMENT, **here, environment_id=environment_id)
    if row is None:
        return None
    app_name, app_created_at, environment_id, key, made_at, enabled = row[:6]
    installation_id, major, installed_by, installed_at, version_id = row[6:11]
    installation = version = None
    if installation_id is not None and version_id is not None:
        installation = Installation(
            installation_id, site_id, environment_id, product, major, installed_by, installed_at
        )
        version = Version(version_id, environment_id, major, *row[11:])
    return InstallationFacts(
        app=App(app_id, app_name, app_created_at),
        environment=Environment(environment_id, app_id, key, made_at),
        installation=installation,
        version=version,
        enabled=bool(enabled),
    )


def variable_purpose(environment_id: str, key: str) -> str:
    """What a variable's sealed value is bound to."""
    return f"variable:{environment_id}/{key}"


_VARIABLES = Prepared(
    select(schema.variable.c.key, schema.variable.c.sealed, schema.variable.c.secret)
    .where(schema.variable.c.environment_id == bindparam("environment_id"))
    .order_by(schema.variable.c.key)
)


async def variables_of(reader: Reader, environment_id: str) -> tuple[Variable, ...]:
    """Every variable of an environment with its value opened, by key; for the runtime alone.

    Untrue after a change of `VARIABLES` (environment id). Raises `Unsealable`.
    """
    rows = await reader.every(_VARIABLES, environment_id=environment_id)
    return tuple(
        Variable(
            key,
            reader.sealer.open(sealed, variable_purpose(environment_id, key)).decode(),
            bool(secret),
        )
        for key, sealed, secret in rows
    )
