"""Which version each installation runs: the newest minor of its major, contract section (k)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select

from sallyport.store import schema
from sallyport.store.engine import Reader

_INSTALLATION = schema.installation.c
_VERSION = schema.version.c
_ENVIRONMENT = schema.environment.c


@dataclass(frozen=True, slots=True)
class Running:
    """An installation, where it is, and the version that it runs; `manifest` is stored text."""

    installation_id: str
    site_id: str
    product: str
    app_id: str
    environment_id: str
    version_id: str
    manifest: str


async def running_version(reader: Reader, installation_id: str) -> Running | None:
    """What an installation runs; None where it is gone."""
    row = await reader.first(_running().where(_INSTALLATION.id == installation_id))
    return None if row is None else Running(**row._mapping)


async def running_versions(reader: Reader, *, after: str, limit: int) -> tuple[Running, ...]:
    """Every installation with the version that it runs, `limit` at a time by installation id."""
    rows = await reader.all(
        _running().where(_INSTALLATION.id > after).order_by(_INSTALLATION.id).limit(limit)
    )
    return tuple(Running(**row._mapping) for row in rows)


def _running() -> Select[Any]:
    newest = schema.version.alias("newest")
    newest_minor = (
        select(func.max(newest.c.minor))
        .where(
            newest.c.environment_id == _INSTALLATION.environment_id,
            newest.c.major == _INSTALLATION.major,
        )
        .correlate(schema.installation)
        .scalar_subquery()
    )
    return select(
        _INSTALLATION.id.label("installation_id"),
        _INSTALLATION.site_id,
        _INSTALLATION.product,
        _ENVIRONMENT.app_id,
        _INSTALLATION.environment_id,
        _VERSION.id.label("version_id"),
        _VERSION.manifest,
    ).select_from(
        schema.installation.join(
            schema.environment, _ENVIRONMENT.id == _INSTALLATION.environment_id
        ).join(
            schema.version,
            and_(
                _VERSION.environment_id == _INSTALLATION.environment_id,
                _VERSION.major == _INSTALLATION.major,
                _VERSION.minor == newest_minor,
            ),
        )
    )
