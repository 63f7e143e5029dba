"""Grants (consents): `/grants` of the account itself, `/admin/sites/{site}/grants` for admins."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import grants
from sallyport.control.grants import GrantLine
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep

router = APIRouter(tags=["grants"])


@router.get("/grants")
async def list_mine(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """What you have consented to."""
    return {"items": [_line(each) for each in await grants.my_grants(services, actor)]}


@router.delete("/grants/{grant_id}", status_code=204)
async def end_mine(grant_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End a consent of yours; its tokens open nothing from now on."""
    await grants.end_my_grant(services, actor, grant_id)


@router.get("/admin/sites/{site}/grants")
async def list_of_site(
    site: str, actor: ActorDep, services: ServicesDep, environment_id: str | None = None
) -> dict[str, Any]:
    """What accounts have consented to on a site, for its admins; for one app environment or all."""
    found = await grants.site_grants(services, actor, site, environment_id)
    return {"items": [_line(each) for each in found]}


@router.delete("/admin/sites/{site}/grants/{grant_id}", status_code=204)
async def end_of_site(site: str, grant_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End a consent on a site, for its admins."""
    await grants.end_site_grant(services, actor, site, grant_id)


def _line(line: GrantLine) -> dict[str, Any]:
    grant = line.grant
    return {
        "grant_id": grant.id,
        "client_id": grant.client_id,
        "integration_name": line.integration_name,
        "verified": line.verified,
        "account_id": grant.account_id,
        "account_email": line.account_email,
        "site_id": grant.site_id,
        "host": line.host,
        "app_id": grant.app_id,
        "app_name": line.app_name,
        "environment": line.environment_key,
        "scopes": sorted(grant.scopes),
        "created_at": iso(grant.created_at),
        "last_token_at": None if line.last_token_at is None else iso(line.last_token_at),
    }
