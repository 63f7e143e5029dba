"""How often apps are called: `/admin/sites/{site}/usage` and its like for developers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from sallyport.control import usage
from sallyport.control.usage import UsageLine
from sallyport.vocab.clock import DAY, iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.logs import read_time

router = APIRouter(tags=["usage"])

DEFAULT_SPAN = 7 * DAY

Since = Annotated[str | None, Query(description="RFC 3339; seven days ago if absent")]
Until = Annotated[str | None, Query(description="RFC 3339; now if absent")]


@router.get("/admin/sites/{site}/usage")
async def read_site_usage(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    by: Literal["hour", "route", "scope", "integration"] = "hour",
    app_id: str | None = None,
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """Calls to a site, of one app or of all, for its admins."""
    span = _span(services, since, until)
    lines = await usage.site_usage(services, actor, site, by, app_id=app_id, **span)
    return {"items": _items(lines, by)}


@router.get("/apps/{app_id}/environments/{environment}/usage")
async def read_app_usage(
    app_id: str,
    environment: str,
    actor: ActorDep,
    services: ServicesDep,
    by: Literal["hour", "route", "scope"] = "hour",
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """Calls to an app environment on all sites, for those who build it."""
    span = _span(services, since, until)
    lines = await usage.app_usage(services, actor, app_id, environment, by, **span)
    return {"items": _items(lines, by)}


@router.get("/integrations/{client_id}/usage")
async def read_integration_usage(
    client_id: str,
    actor: ActorDep,
    services: ServicesDep,
    by: Literal["hour", "route", "scope", "site"] = "hour",
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """Calls that an integration made, for its owner."""
    span = _span(services, since, until)
    lines = await usage.integration_usage(services, actor, client_id, by, **span)
    return {"items": _items(lines, by)}


def _span(services: ServicesDep, since: str | None, until: str | None) -> dict[str, int]:
    ends = services.store.clock.now() + 1 if until is None else read_time(until)
    return {"since": ends - DEFAULT_SPAN if since is None else read_time(since), "until": ends}


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
