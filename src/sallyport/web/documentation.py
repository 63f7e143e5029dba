"""API documentation of an app: what there is to call, what it needs, where it answers."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from sallyport.control.documentation import Documentation, app_documentation, openapi_document
from sallyport.web.drawing import draw
from sallyport.web.visit import Visit


async def show(visit: Visit) -> Response:
    view = await _asked(visit)
    return draw(
        visit, "documentation.html", view=view, query=f"?environment={view.environment.key}"
    )


async def show_openapi(visit: Visit) -> Response:
    return JSONResponse(
        openapi_document(visit.services, await _asked(visit)),
        headers={"Cache-Control": "no-store"},
    )


async def _asked(visit: Visit) -> Documentation:
    return await app_documentation(
        visit.services,
        visit.actor,
        visit.path("app_id"),
        visit.request.query_params.get("environment"),
    )
