"""Web triggers: `/installations/{installation_id}/web-triggers`, `/web-triggers/{id}`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import triggers
from sallyport.control.services import Services
from sallyport.control.triggers import TriggerLine
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(tags=["web triggers"])


class NewWebTrigger(Body):
    key: str


@router.get("/installations/{installation_id}/web-triggers")
async def list_web_triggers(
    installation_id: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The web triggers of an installation, with the URLs that were made; for the site's admins."""
    found = await triggers.list_web_triggers(services, actor, installation_id)
    return {"items": [_item(services, each) for each in found]}


@router.post("/installations/{installation_id}/web-triggers")
async def create_web_trigger(
    installation_id: str, body: NewWebTrigger, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The URL of a web trigger, made where there is none yet; by the site's admins."""
    made = await triggers.create_web_trigger(services, actor, installation_id, body.key)
    return _item(services, made)


@router.delete("/web-triggers/{trigger_id}", status_code=204)
async def delete_web_trigger(trigger_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End a URL; by the site's admins."""
    await triggers.delete_web_trigger(services, actor, trigger_id)


def _item(services: Services, line: TriggerLine) -> dict[str, Any]:
    return {
        "key": line.module_key,
        "function": line.declared.function if line.declared is not None else None,
        "response": line.declared.response if line.declared is not None else None,
        "declared": line.declared is not None,
        "installation_id": line.installed.installation.id,
        "app_id": line.installed.app.id,
        "environment": line.installed.environment.key,
        "host": line.installed.site.host,
        "product": line.installed.installation.product,
        "id": line.url.id if line.url is not None else None,
        "url": triggers.trigger_address(services, line.url) if line.url is not None else None,
        "created_at": iso(line.url.created_at) if line.url is not None else None,
    }
