"""The sites that the caller belongs to: `/sites`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control.sites import my_site, my_sites
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.shapes import site_with_role

router = APIRouter(prefix="/sites", tags=["sites"])


@router.get("")
async def list_sites(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The caller's sites with the role on each."""
    sites = await my_sites(services, actor)
    return {"items": [site_with_role(services, site, role) for site, role in sites]}


@router.get("/{site}")
async def show_site(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One of the caller's sites, by cloud id or host."""
    return site_with_role(services, *await my_site(services, actor, site))
