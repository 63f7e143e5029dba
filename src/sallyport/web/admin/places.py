"""The organizations and sites of the visitor, and the apps connected to a site."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import installations
from sallyport.control.catalog import connected_apps
from sallyport.control.sites import my_organizations
from sallyport.vocab.errors import Refused
from sallyport.web.admin.frame import draw_site, frame_of
from sallyport.web.admin.usage import usage_of_day
from sallyport.web.drawing import draw
from sallyport.web.flash import say
from sallyport.web.forms import one
from sallyport.web.visit import Visit


async def show_places(visit: Visit) -> Response:
    found = await my_organizations(visit.services, visit.actor)
    return draw(visit, "admin/places.html", organizations=found)


async def show_site(visit: Visit) -> Response:
    return await _site_page(visit)


async def install(visit: Visit, form: FormData) -> Response:
    """Install an app by its id. Its REST APIs stay off."""
    app_id, environment = one(form, "app_id").strip(), one(form, "environment").strip()
    product = one(form, "product")
    try:
        made = await installations.install(
            visit.services, visit.actor, app_id, environment, visit.path("site"), product
        )
    except Refused as refused:
        return await _site_page(
            visit, app_id=app_id, environment=environment, product=product, problem=refused
        )
    address = f"/admin/sites/{made.site.id}/apps/{made.app.id}/environments/{made.environment.key}"
    return say(visit, address, "Installed. Its REST APIs are off until you turn them on.")


async def _site_page(
    visit: Visit,
    *,
    app_id: str = "",
    environment: str = "production",
    product: str = "",
    problem: Refused | None = None,
) -> Response:
    frame = await frame_of(visit)
    view = await connected_apps(visit.services, visit.actor, visit.path("site"))
    return draw_site(
        visit,
        frame,
        "site.html",
        view=view,
        usage=await usage_of_day(visit, frame.site.id, "environment") if frame.is_admin else {},
        app_id=app_id,
        environment=environment,
        product=product,
        products=[(each, each) for each in frame.site.products],
        problem=problem,
    )
