"""The developer console: apps, their environments, what is deployed and where it runs."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.apps import list_apps, register_app, show_app
from sallyport.control.catalog import environment_scopes
from sallyport.control.deploy import list_versions
from sallyport.control.installations import list_installations
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.visit import Visit, see_other


async def show_apps(visit: Visit) -> Response:
    return await _apps_page(visit, name="", problem=None)


async def register(visit: Visit, form: FormData) -> Response:
    name = one(form, "name")
    try:
        made = await register_app(visit.services, visit.actor, name)
    except Refused as refused:
        return await _apps_page(visit, name=name, problem=refused)
    return see_other(f"/console/apps/{made.app.id}")


async def show_one_app(visit: Visit) -> Response:
    view = await show_app(visit.services, visit.actor, visit.path("app_id"))
    return draw(visit, "console/app.html", view=view)


async def show_environment(visit: Visit) -> Response:
    """One environment: versions, routes and scopes of the newest, installations."""
    app_id, key = visit.path("app_id"), visit.path("environment")
    view = await show_app(visit.services, visit.actor, app_id)
    held = next((each for each in view.environments if each.environment.key == key), None)
    if held is None:
        raise Refused(Reason.NOT_FOUND, "The app has no such environment.")
    return draw(
        visit,
        "console/environment.html",
        view=view,
        environment=held.environment,
        live_version=held.live_version,
        versions=await list_versions(visit.services, visit.actor, app_id, key),
        scopes=await environment_scopes(visit.services, visit.actor, app_id, key),
        installations=await list_installations(
            visit.services, visit.actor, app_id=app_id, environment=key
        ),
    )


async def _apps_page(visit: Visit, *, name: str, problem: Refused | None) -> Response:
    return draw(
        visit,
        "console/apps.html",
        status=problem.reason.status if problem is not None else 200,
        apps=await list_apps(visit.services, visit.actor),
        name=name,
        problem=problem,
    )
