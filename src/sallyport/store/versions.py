"""Versions of an environment: immutable, numbered without gaps by races."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select

from sallyport.model.directory import Actor
from sallyport.model.registry import Environment, Version
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import scopes_of
from sallyport.store.locks import hold
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_VERSION = schema.version.c
_NOTES = schema.version_notes.c

Judge = Callable[[Version | None, frozenset[str]], bool]
"""Given the newest version and the registered scopes: must the next be a major? Raises `Refused`"""


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in a list. `live`: the newest minor of its major, which installations run."""

    id: str
    number: str
    tag: str | None
    bundle: str
    created_by: str | None
    created_at: int
    live: bool


def following(newest: Version | None, *, major: bool) -> tuple[int, int]:
    """The number after `newest`: 1.1 first, then 1.2, or 2.0 for a major; contract section (k)."""
    if newest is None:
        return 1, 1
    return (newest.major + 1, 0) if major else (newest.major, newest.minor + 1)


async def newest_version(reader: Reader, environment_id: str) -> Version | None:
    row = await reader.first(
        select(schema.version)
        .where(_VERSION.environment_id == environment_id)
        .order_by(_VERSION.major.desc(), _VERSION.minor.desc())
        .limit(1)
    )
    return _version(row) if row is not None else None


async def version_numbered(
    reader: Reader, environment_id: str, major: int, minor: int
) -> Version | None:
    row = await reader.first(
        select(schema.version).where(
            _VERSION.environment_id == environment_id,
            _VERSION.major == major,
            _VERSION.minor == minor,
        )
    )
    return _version(row) if row is not None else None


async def versions_of(reader: Reader, environment_id: str, limit: int) -> tuple[VersionLine, ...]:
    """The newest `limit` versions of an environment, newest first."""
    rows = await reader.all(
        select(
            _VERSION.id,
            _VERSION.major,
            _VERSION.minor,
            _VERSION.tag,
            _VERSION.bundle,
            _VERSION.created_by,
            _VERSION.created_at,
            func.max(_VERSION.minor).over(partition_by=_VERSION.major).label("newest"),
        )
        .where(_VERSION.environment_id == environment_id)
        .order_by(_VERSION.major.desc(), _VERSION.minor.desc())
        .limit(limit)
    )
    return tuple(
        VersionLine(
            row.id,
            f"{row.major}.{row.minor}",
            row.tag,
            row.bundle,
            row.created_by,
            row.created_at,
            row.minor == row.newest,
        )
        for row in rows
    )


async def newest_numbers(reader: Reader, environment_ids: Iterable[str]) -> dict[str, str]:
    """The newest version's number of each environment that has one."""
    rows = await reader.all(
        select(_VERSION.environment_id, _VERSION.major, func.max(_VERSION.minor).label("minor"))
        .where(_VERSION.environment_id.in_(list(environment_ids)))
        .group_by(_VERSION.environment_id, _VERSION.major)
        .order_by(_VERSION.major)
    )
    return {row.environment_id: f"{row.major}.{row.minor}" for row in rows}


async def manifests(reader: Reader, version_ids: Iterable[str]) -> dict[str, str]:
    """The manifests of versions, as JSON text by version id."""
    rows = await reader.all(
        select(_VERSION.id, _VERSION.manifest).where(_VERSION.id.in_(list(version_ids)))
    )
    return {row.id: row.manifest for row in rows}


async def notes_of(reader: Reader, version_id: str) -> str | None:
    """What the developer tells callers about a version's functions, as JSON text."""
    found: str | None = await reader.scalar(
        select(_NOTES.notes).where(_NOTES.version_id == version_id)
    )
    return found


async def add_version(
    tx: Tx,
    actor: Actor,
    environment: Environment,
    *,
    manifest: str,
    bundle: str,
    tag: str | None,
    judge: Judge,
    dependencies: str | None = None,
    notes: str | None = None,
) -> tuple[Version, bool]:
    """Number and keep a version; says whether it began a new major.

    `notes` are for its API documentation; nobody who decides or runs a call reads them.

    `judge` sees what is true while the number is taken, so neither a competing deployment nor a
    competing registration can slip between its verdict and the row.
    """
    if not await hold(tx, schema.environment, environment.id):
        raise Refused(Reason.NOT_FOUND, "The environment was deleted.")
    newest = await newest_version(tx, environment.id)
    registered = frozenset(each.name for each in await scopes_of(tx, environment.id))
    is_major = judge(newest, registered)
    major, minor = following(newest, major=is_major)
    made = Version(
        new_id(),
        environment.id,
        major,
        minor,
        manifest,
        bundle,
        tag,
        actor.account_id,
        tx.now,
        dependencies,
    )
    await tx.run(
        insert(schema.version).values({name: getattr(made, name) for name in Version.__slots__})
    )
    if notes is not None:
        await tx.run(insert(schema.version_notes).values(version_id=made.id, notes=notes))
    tx.changed(Kind.VERSION, environment.id)
    tx.audit(
        Event.VERSION_DEPLOYED,
        actor,
        app_id=environment.app_id,
        subject=made.id,
        environment=environment.key,
        version=made.number,
        tag=tag,
    )
    return made, newest is not None and is_major


async def bundles_in_use(reader: Reader) -> frozenset[str]:
    """The digests that versions refer to."""
    return frozenset(row.bundle for row in await reader.all(select(_VERSION.bundle).distinct()))


def _version(row: Row[Any]) -> Version:
    return Version(**row._mapping)
