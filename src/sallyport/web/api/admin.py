"""What a site's admin looks after: `/admin/sites/{site}`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import catalog, switch
from sallyport.control.reach import Reach
from sallyport.control.switch import RestApis
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body
from sallyport.web.api.installations import installation_item

router = APIRouter(prefix="/admin/sites/{site}", tags=["admin"])

_SWITCH = "/apps/{app_id}/environments/{environment}/rest-apis"


class Turn(Body):
    enabled: bool


@router.get("/apps")
async def list_apps(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The connected apps of a site with their routes; for its members."""
    found = await catalog.connected_apps(services, actor, site)
    return {
        "items": [
            {
                **installation_item(services, each.installed),
                "routes": [
                    {
                        "operation": route.operation,
                        "path": route.path,
                        "scopes": list(route.scopes),
                    }
                    for route in each.routes
                ],
            }
            for each in found.apps
        ]
    }


@router.get(_SWITCH)
async def read_switch(
    site: str, app_id: str, environment: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """How the REST APIs switch stands; for members of the site."""
    return _switch(await switch.rest_apis(services, actor, site, app_id, environment))


@router.put(_SWITCH)
async def turn_switch(
    site: str, app_id: str, environment: str, body: Turn, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Turn REST APIs on or off; by admins of the site. Off is off when this answers."""
    return _switch(
        await switch.set_rest_apis(services, actor, site, app_id, environment, body.enabled)
    )


def _switch(state: RestApis) -> dict[str, Any]:
    return {
        "enabled": state.enabled,
        "changed_at": iso(state.changed_at) if state.changed_at is not None else None,
        "changed_by": state.changed_by,
        "changed_by_email": state.changed_by_email,
        "base_urls": list(state.base_urls),
        "reach": None if state.reach is None else _reach(state.reach),
    }


def _reach(reach: Reach) -> dict[str, Any]:
    """In how many processes the switch stands as said; everywhere where the two are equal."""
    return {
        "processes": reach.processes,
        "reached": reach.reached,
        "checked_at": iso(reach.checked_at),
    }
