"""How often apps are called: `/admin/sites/{site}/usage` and its like for developers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from fastapi import APIRouter, Depends, Query

from sallyport.control import call_figures, usage
from sallyport.control.call_figures import Parties
from sallyport.control.usage import UsageLine
from sallyport.vocab.clock import DAY, iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.logs import read_time

router = APIRouter(tags=["usage"])

DEFAULT_SPAN = 7 * DAY

Since = Annotated[str | None, Query(description="RFC 3339; seven days ago if absent")]
Until = Annotated[str | None, Query(description="RFC 3339; now if absent")]


@dataclass(frozen=True, slots=True)
class Of:
    """The parties that calls are narrowed to. `route` is a route's key."""

    environment_id: str | None = None
    client_id: str | None = None
    route: str | None = None


class Span(TypedDict):
    """Milliseconds since the epoch; `until` is exclusive."""

    since: int
    until: int


def span_of(services: ServicesDep, since: Since = None, until: Until = None) -> Span:
    """Raises `Refused` for what is no time."""
    ends = services.store.clock.now() + 1 if until is None else read_time(until)
    return {"since": ends - DEFAULT_SPAN if since is None else read_time(since), "until": ends}


OfDep = Annotated[Of, Depends()]
SpanDep = Annotated[Span, Depends(span_of)]


@router.get("/admin/sites/{site}/usage")
async def read_site_usage(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    of: OfDep,
    span: SpanDep,
    by: Literal["hour", "day", "route", "scope", "integration", "environment"] = "hour",
    app_id: str | None = None,
) -> dict[str, Any]:
    """Calls to a site, of one app or of all, for its admins. `route` is a route's key."""
    lines = await usage.site_usage(
        services,
        actor,
        site,
        by,
        app_id=app_id,
        environment_id=of.environment_id,
        client_id=of.client_id,
        route_key=of.route,
        **span,
    )
    return {"items": _items(lines, by)}


@router.get("/admin/sites/{site}/latency")
async def read_site_latency(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    of: OfDep,
    span: SpanDep,
    by: Literal["hour", "day", "all"] = "hour",
) -> dict[str, Any]:
    """How long allowed calls on record took, in microseconds, for admins of the site."""
    lines = await call_figures.site_latency(
        services,
        actor,
        site,
        by,
        of=Parties(of.environment_id, of.client_id, of.route),
        **span,
    )
    return {
        "items": [
            {
                **({} if by == "all" else {by: iso(line.at)}),
                "calls": line.calls,
                "p50_us": line.p50_us,
                "p95_us": line.p95_us,
                "p99_us": line.p99_us,
            }
            for line in lines
        ]
    }


@router.get("/admin/sites/{site}/refusals")
async def read_site_refusals(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    of: OfDep,
    span: SpanDep,
) -> dict[str, Any]:
    """Why calls on record were refused, by gate and reason, for admins of the site."""
    lines = await call_figures.site_refusals(
        services,
        actor,
        site,
        of=Parties(of.environment_id, of.client_id, of.route),
        **span,
    )
    return {
        "items": [{"gate": line.gate, "reason": line.reason, "calls": line.calls} for line in lines]
    }


@router.get("/admin/sites/{site}/last-day")
async def read_last_day(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    of: OfDep,
    grant_id: str | None = None,
    account_id: str | None = None,
) -> dict[str, Any]:
    """How many calls came in the last day, of a thing that somebody is about to end."""
    parties = Parties(of.environment_id, of.client_id, of.route, grant_id, account_id)
    found = await call_figures.last_day(services, actor, site, parties)
    return {"calls": found.calls, "since": iso(found.since)}


@router.get("/apps/{app_id}/environments/{environment}/usage")
async def read_app_usage(
    app_id: str,
    environment: str,
    actor: ActorDep,
    services: ServicesDep,
    span: SpanDep,
    by: Literal["hour", "route", "scope"] = "hour",
) -> dict[str, Any]:
    """Calls to an app environment on all sites, for those who build it."""
    lines = await usage.app_usage(services, actor, app_id, environment, by, **span)
    return {"items": _items(lines, by)}


@router.get("/integrations/{client_id}/usage")
async def read_integration_usage(
    client_id: str,
    actor: ActorDep,
    services: ServicesDep,
    span: SpanDep,
    by: Literal["hour", "route", "scope", "site"] = "hour",
) -> dict[str, Any]:
    """Calls that an integration made, for its owner."""
    lines = await usage.integration_usage(services, actor, client_id, by, **span)
    return {"items": _items(lines, by)}


def _items(lines: Iterable[UsageLine], by: str) -> list[dict[str, Any]]:
    return [
        {
            by: iso(line.key) if isinstance(line.key, int) else line.key,
            "calls": line.usage.calls,
            "refused": line.usage.refused,
            "failed": line.usage.failed,
            "worker_us": line.usage.worker_us,
            "bytes_in": line.usage.bytes_in,
            "bytes_out": line.usage.bytes_out,
        }
        for line in lines
    ]
