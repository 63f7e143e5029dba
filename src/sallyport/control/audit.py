"""What was done, for those whose business it is.

Admins of a site see all that was done on it, admins of an organization that of its sites, operators
everything. Who builds an app sees what befell the app; of what people did on customers' sites they
see the event and no person.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sallyport.control.authority import require_app_part, require_operator, require_org_admin
from sallyport.control.names import clean_email
from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store import accounts, audit
from sallyport.store.audit import AuditLine, AuditPlace, AuditQuery
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import is_uuid

__all__ = [
    "MOST_EXPORTED",
    "MOST_LISTED",
    "AuditFilter",
    "AuditLine",
    "AuditPage",
    "Whose",
    "export_audit",
    "read_audit",
]

MOST_LISTED = 500
MOST_EXPORTED = 100_000
TOLD_OF_SITES = frozenset(
    {
        "approved",
        "client_id",
        "enabled",
        "environment",
        "environment_id",
        "forge_compatible",
        "kind",
        "major",
        "minor",
        "optional_scopes",
        "product",
        "refused",
        "require_dpop",
        "scopes",
        "version",
    }
)
"""Members of a row's detail that who builds an app is told of what was done on a site."""


class Whose(StrEnum):
    """At what sort of place the audit is read."""

    SITE = "site"
    APP = "app"
    ORGANIZATION = "organization"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows, as people say it: `events` are names or their first part (`approval`).

    `account` is an id or an email. Times are milliseconds since the epoch, `until` exclusive.
    """

    events: tuple[str, ...] = ()
    account: str | None = None
    client_id: str | None = None
    app_id: str | None = None
    since: int | None = None
    until: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows, newest first; `next` is where to go on (`before`), None at the end."""

    lines: tuple[AuditLine, ...]
    next: int | None


async def read_audit(
    services: Services,
    actor: Actor,
    whose: Whose,
    name: str,
    wanted: AuditFilter,
    limit: int = 100,
) -> AuditPage:
    """One page of an audit. `name` is the site's, the app's or the organization's.

    Raises `Refused`. What the actor has no part in reads as not found.
    """
    events = _events(wanted.events)
    for each in (wanted.client_id, wanted.app_id):
        if each is not None and not is_uuid(each):
            raise Refused(Reason.INVALID_INPUT, f"{each[:64]!r} is no id.", fix="Give a UUID.")
    most = max(1, min(limit, MOST_LISTED))

    async def ask(reader: Reader) -> AuditPage:
        place, told = await _place(reader, actor, whose, name)
        query = AuditQuery(
            events,
            await _account_id(reader, wanted.account),
            wanted.client_id,
            wanted.app_id,
            wanted.since,
            wanted.until,
            wanted.before,
        )
        lines = await audit.read_audit(reader, place, query, most + 1)
        page = lines[:most]
        return AuditPage(tuple(map(told, page)), page[-1].seq if len(lines) > most else None)

    return await services.store.read(ask)


async def export_audit(
    services: Services, actor: Actor, whose: Whose, name: str, wanted: AuditFilter, limit: int
) -> AsyncIterator[tuple[AuditLine, ...]]:
    """An audit in pages, newest first, `limit` rows at most; the authority is asked at each page.

    Raises `Refused`, the first time before anything is given.
    """
    left = min(limit, MOST_EXPORTED)
    while left > 0:
        page = await read_audit(services, actor, whose, name, wanted, left)
        yield page.lines
        left -= len(page.lines)
        if page.next is None:
            return
        wanted = replace(wanted, before=page.next)


async def _place(
    reader: Reader, actor: Actor, whose: Whose, name: str
) -> tuple[AuditPlace, Callable[[AuditLine], AuditLine]]:
    """Where to look, and how a row is told to who looks there. Raises `Refused`."""
    if whose is Whose.SITE:
        return AuditPlace(site_id=(await site_of_admin(reader, actor, name)).id), _whole
    if whose is Whose.APP:
        await require_app_part(reader, actor, name)
        return AuditPlace(app_id=name), _without_people
    if whose is Whose.ORGANIZATION:
        await require_org_admin(reader, actor, name if is_uuid(name) else "")
        return AuditPlace(organization_id=name), _whole
    await require_operator(reader, actor)
    return AuditPlace(), _whole


def _whole(line: AuditLine) -> AuditLine:
    return line


def _without_people(line: AuditLine) -> AuditLine:
    """What was done on a customer's site, without who did it and what they wrote."""
    if line.site_id is None:
        return line
    detail = {key: value for key, value in line.detail.items() if key in TOLD_OF_SITES}
    return replace(line, account_id=None, account_email=None, address=None, detail=detail)


def _events(wanted: Iterable[str]) -> frozenset[str]:
    """Every event that the names stand for. Raises `Refused`."""
    found: set[str] = set()
    for name in wanted:
        meant = {each.value for each in Event if name in (each.value, each.value.split(":")[0])}
        if not meant:
            raise Refused(
                Reason.INVALID_INPUT,
                f"{name[:64]!r} is no event of the audit.",
                fix="Give an event such as grant:revoked, or the first part of several: "
                f"{', '.join(sorted({each.value.split(':')[0] for each in Event}))}.",
            )
        found |= meant
    return frozenset(found)


async def _account_id(reader: Reader, account: str | None) -> str | None:
    """The id of an account by id or email; one that there is not matches no row."""
    if account is None or is_uuid(account):
        return account
    found = await accounts.account_by_email(reader, clean_email(account))
    return found.id if found is not None else "none"
