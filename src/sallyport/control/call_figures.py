"""Figures of the calls to a site, for its admins: latency, refusals by reason, the last day."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.store import call_figures
from sallyport.store.call_figures import CallsOf, Latency, Refusals, Span
from sallyport.store.engine import Reader
from sallyport.store.usage import usage_by
from sallyport.vocab.clock import DAY, HOUR

__all__ = [
    "EVERYTHING",
    "LastDay",
    "Latency",
    "Parties",
    "Refusals",
    "Span",
    "last_day",
    "site_latency",
    "site_refusals",
]


@dataclass(frozen=True, slots=True)
class Parties:
    """Which calls are meant: all of the site, or those of each party that is not None."""

    environment_id: str | None = None
    client_id: str | None = None
    route_key: str | None = None
    grant_id: str | None = None
    account_id: str | None = None


EVERYTHING = Parties()


@dataclass(frozen=True, slots=True)
class LastDay:
    """Calls that came in the last day, counted from the beginning of an hour."""

    calls: int
    since: int


async def site_latency(
    services: Services,
    actor: Actor,
    site: str,
    span: Span,
    *,
    since: int,
    until: int,
    of: Parties = EVERYTHING,
) -> tuple[Latency, ...]:
    """How long allowed calls to a site took, of those on record. For admins. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Latency, ...]:
        found = await site_of_admin(reader, actor, site)
        return await call_figures.latency_by(reader, span, _calls(found.id, since, until, of))

    return await services.store.read(ask)


async def site_refusals(
    services: Services,
    actor: Actor,
    site: str,
    *,
    since: int,
    until: int,
    of: Parties = EVERYTHING,
) -> tuple[Refusals, ...]:
    """Why calls to a site were refused, of those on record. For its admins. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Refusals, ...]:
        found = await site_of_admin(reader, actor, site)
        return await call_figures.refusals_by_reason(reader, _calls(found.id, since, until, of))

    return await services.store.read(ask)


async def last_day(
    services: Services, actor: Actor, site: str, of: Parties = EVERYTHING
) -> LastDay:
    """How many calls came in the last day, so that nobody ends unawares what is in use.

    Exact from usage, written every few seconds; of a grant or an account, those on record. For
    admins of the site. Raises `Refused`.
    """

    async def ask(reader: Reader) -> LastDay:
        found = await site_of_admin(reader, actor, site)
        since, until = reader.now - DAY, reader.now + 1
        since -= since % HOUR
        if of.grant_id is not None or of.account_id is not None:
            counted = await call_figures.count_calls(reader, _calls(found.id, since, until, of))
            return LastDay(counted, since)
        lines = await usage_by(
            reader,
            "site",
            since=since,
            until=until,
            site_id=found.id,
            environment_id=of.environment_id,
            client_id=of.client_id,
            route_key=of.route_key,
        )
        return LastDay(sum(line.usage.calls for line in lines), since)

    return await services.store.read(ask)


def _calls(site_id: str, since: int, until: int, of: Parties) -> CallsOf:
    return CallsOf(
        site_id,
        since,
        until,
        of.environment_id,
        of.client_id,
        of.route_key,
        of.grant_id,
        of.account_id,
    )
