"""An app's API documentation, to keep or to publish: `/apps/{app_id}/documentation`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control.documentation import app_documentation
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.documentation import exported

router = APIRouter(prefix="/apps/{app_id}", tags=["documentation"])


@router.get("/documentation")
async def export(
    app_id: str,
    actor: ActorDep,
    services: ServicesDep,
    environment: str | None = None,
    site: str | None = None,
) -> dict[str, Any]:
    """The documentation as files that need no platform: a page, its style, an OpenAPI document.

    `site` is a host, with `/<product>` where there are two: addresses are of it. Without one they
    say `{cloud-id}` and `{site}`, for readers on any site.
    """
    found = await app_documentation(
        services, actor, app_id, environment, place=site, anywhere=site is None
    )
    return {
        "title": found.title,
        "environment": found.environment.key,
        "version": found.number,
        "files": exported(services, found),
    }
