"""Reading the audit rows that verbs leave (`Tx.audit`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.vocab.events import Event

_AUDIT = schema.audit.c


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done. `seq` grows with time; `account_email` is None for the platform.

    `address` is where it was done from, `reason` why, as far as that was told.
    """

    seq: int
    at: int
    event: str
    account_id: str | None
    account_email: str | None
    address: str | None
    site_id: str | None
    app_id: str | None
    subject: str | None
    detail: dict[str, Any]

    @property
    def reason(self) -> str:
        return str(self.detail.get("reason", ""))


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which rows; what is None or empty does not narrow.

    `account_id` is who did it or to whom it was done, `client_id` an integration or a service
    account. `since` and `until` are milliseconds since the epoch, the second exclusive. `before` is
    the `seq` to go on from.
    """

    events: frozenset[str] = field(default_factory=frozenset)
    account_id: str | None = None
    client_id: str | None = None
    app_id: str | None = None
    since: int | None = None
    until: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Whose audit: of one site, one app or one organization; with none of them, of all."""

    site_id: str | None = None
    app_id: str | None = None
    organization_id: str | None = None


async def read_audit(
    reader: Reader, place: AuditPlace, query: AuditQuery, limit: int
) -> tuple[AuditLine, ...]:
    """What was done at a place and matches, newest first."""
    rows = await reader.all(
        select(schema.audit, schema.account.c.email.label("account_email"))
        .outerjoin(schema.account, schema.account.c.id == _AUDIT.account_id)
        .where(*_of_place(place), *_matching(query))
        .order_by(_AUDIT.seq.desc())
        .limit(limit)
    )
    return tuple(
        AuditLine(
            row.seq,
            row.at,
            row.event,
            row.account_id,
            row.account_email,
            row.address,
            row.site_id,
            row.app_id,
            row.subject,
            json.loads(row.detail),
        )
        for row in rows
    )


async def audit_of_site(
    reader: Reader, site_id: str, *, before: int | None, limit: int
) -> tuple[AuditLine, ...]:
    """What was done on a site, newest first; `before` is the `seq` to go on from."""
    return await read_audit(reader, AuditPlace(site_id), AuditQuery(before=before), limit)


def _of_place(place: AuditPlace) -> Iterator[ColumnElement[bool]]:
    if place.site_id is not None:
        yield _AUDIT.site_id == place.site_id
    if place.app_id is not None:
        yield _AUDIT.app_id == place.app_id
    if place.organization_id is not None:
        site = schema.site.c
        sites = select(site.id).where(site.organization_id == place.organization_id)
        own = (Event.ORGANIZATION_CREATED.value,)
        admins = (Event.ORG_ADMIN_SET.value, Event.ORG_ADMIN_ENDED.value)
        yield or_(
            _AUDIT.site_id.in_(sites),
            and_(_AUDIT.event.in_(own), _AUDIT.subject == place.organization_id),
            and_(_AUDIT.event.in_(admins), _in_detail("organization_id", place.organization_id)),
        )


def _matching(query: AuditQuery) -> Iterator[ColumnElement[bool]]:
    if query.events:
        yield _AUDIT.event.in_(sorted(query.events))
    if query.account_id is not None:
        yield or_(_AUDIT.account_id == query.account_id, _AUDIT.subject == query.account_id)
    if query.client_id is not None:
        yield or_(_AUDIT.subject == query.client_id, _in_detail("client_id", query.client_id))
    if query.app_id is not None:
        yield _AUDIT.app_id == query.app_id
    if query.since is not None:
        yield _AUDIT.at >= query.since
    if query.until is not None:
        yield _AUDIT.at < query.until
    if query.before is not None:
        yield _AUDIT.seq < query.before


def _in_detail(key: str, value: str) -> ColumnElement[bool]:
    """Whether the row's detail has this member; as `Tx.audit` writes it."""
    return _AUDIT.detail.contains(f'"{key}": {json.dumps(value)}', autoescape=True)
