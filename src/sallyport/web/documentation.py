"""API documentation of an app: what there is to call, what it needs, where it answers."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse, Response

from sallyport.control.documentation import (
    REFUSALS,
    Documentation,
    app_documentation,
    openapi_document,
)
from sallyport.control.services import Services
from sallyport.web.assets import text_of
from sallyport.web.drawing import ENVIRONMENT, draw
from sallyport.web.visit import Visit


async def show(visit: Visit) -> Response:
    view = await _asked(visit)
    place = f"&place={view.place.key}" if view.place is not None else ""
    return draw(
        visit,
        "documentation.html",
        view=view,
        query=f"?environment={view.environment.key}{place}",
        **_about(visit.services),
    )


async def show_openapi(visit: Visit) -> Response:
    return JSONResponse(
        openapi_document(visit.services, await _asked(visit)),
        headers={"Cache-Control": "no-store"},
    )


def exported(services: Services, documentation: Documentation) -> dict[str, str]:
    """The documentation as files by name, that stand on their own in one folder."""
    page = ENVIRONMENT.get_template("documentation_alone.html").render(
        view=documentation, **_about(services)
    )
    described = openapi_document(services, documentation)
    return {
        "index.html": page,
        "sallyport.css": text_of("sallyport.css"),
        "openapi.json": json.dumps(described, indent=2, ensure_ascii=False) + "\n",
    }


def _about(services: Services) -> dict[str, Any]:
    return {
        "refusals": REFUSALS,
        "authorize": f"{services.public_url}/authorize",
        "token": f"{services.public_url}/oauth/token",
    }


async def _asked(visit: Visit) -> Documentation:
    asked = visit.request.query_params
    return await app_documentation(
        visit.services,
        visit.actor,
        visit.path("app_id"),
        asked.get("environment"),
        place=asked.get("place"),
    )
