"""The sites and organizations that the caller belongs to: `/sites`, `/organizations`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control.sites import my_organizations, my_site, my_sites
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.shapes import organization_item, site_with_role

router = APIRouter(tags=["sites"])


@router.get("/sites")
async def list_sites(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The caller's sites with the role on each."""
    sites = await my_sites(services, actor)
    return {"items": [site_with_role(services, site, role) for site, role in sites]}


@router.get("/sites/{site}")
async def show_site(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One of the caller's sites, by cloud id or host."""
    return site_with_role(services, *await my_site(services, actor, site))


@router.get("/organizations")
async def list_organizations(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The organizations that the caller is an admin of or has a site of, with those sites."""
    return {
        "items": [
            {
                **organization_item(each.organization),
                "admin": each.administered,
                "sites": [site_with_role(services, site, role) for site, role in each.sites],
            }
            for each in await my_organizations(services, actor)
        ]
    }
