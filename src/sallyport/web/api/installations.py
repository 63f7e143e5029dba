"""Installations: `/installations`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import installations
from sallyport.control.installations import Installed
from sallyport.control.services import Services
from sallyport.model.registry import app_title
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/installations", tags=["installations"])


class NewInstallation(Body):
    app_id: str
    environment: str
    site: str
    product: str


@router.post("", status_code=201)
async def install(body: NewInstallation, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Install an app environment on a product of a site; by the site's admins."""
    made = await installations.install(
        services, actor, body.app_id, body.environment, body.site, body.product
    )
    return installation_item(services, made)


@router.get("")
async def list_installations(
    actor: ActorDep,
    services: ServicesDep,
    app_id: str | None = None,
    environment: str | None = None,
    site: str | None = None,
) -> dict[str, Any]:
    """Installations of the caller's apps and on the caller's sites."""
    found = await installations.list_installations(
        services, actor, app_id=app_id, environment=environment, site=site
    )
    return {"items": [installation_item(services, each) for each in found]}


@router.get("/{installation_id}")
async def show_installation(
    installation_id: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """One installation; for the site's admins."""
    found = await installations.show_installation(services, actor, installation_id)
    return installation_item(services, found)


@router.post("/{installation_id}/upgrade")
async def upgrade(installation_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Move to the newest major version; by the site's admins."""
    return installation_item(
        services, await installations.upgrade(services, actor, installation_id)
    )


@router.delete("/{installation_id}", status_code=204)
async def uninstall(installation_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Uninstall, with the app's data here; by the site's admins."""
    await installations.uninstall(services, actor, installation_id)


def installation_item(services: Services, installed: Installed) -> dict[str, Any]:
    installation, environment = installed.installation, installed.environment
    return {
        "installation_id": installation.id,
        "app_id": installed.app.id,
        "app_name": installed.app.name,
        "title": app_title(installed.app.name, environment.key),
        "environment": environment.key,
        "environment_id": environment.id,
        "site_id": installed.site.id,
        "host": installed.site.host,
        "product": installation.product,
        "version": installed.number,
        "newest_version": installed.newest_number,
        "upgrade_available": installed.upgrade_available,
        "rest_apis_enabled": installed.switch.enabled,
        "base_urls": list(
            services.base_urls(
                installed.site, installation.product, installed.app.id, environment.id
            )
        ),
        "created_at": iso(installation.created_at),
        "installed_by": installation.installed_by,
    }
