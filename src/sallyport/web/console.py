"""The developer console: my apps, registering one, one with its environments."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.apps import list_apps, register_app, show_app
from sallyport.control.environments import create_environment
from sallyport.vocab.errors import Refused
from sallyport.web import environment, flash
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.visit import Visit


async def show_apps(visit: Visit) -> Response:
    return await _apps_page(visit, name="", problem=None)


async def register(visit: Visit, form: FormData) -> Response:
    name = one(form, "name")
    try:
        made = await register_app(visit.services, visit.actor, name)
    except Refused as refused:
        return await _apps_page(visit, name=name, problem=refused)
    text = f"{made.app.name} is registered."
    return flash.say(visit, f"/console/apps/{made.app.id}", text)


async def show_one_app(visit: Visit) -> Response:
    return await _app_page(visit)


async def add_environment(visit: Visit, form: FormData) -> Response:
    """A further environment, beside the three that every app has."""
    app_id, key = visit.path("app_id"), one(form, "key").strip()
    try:
        await create_environment(visit.services, visit.actor, app_id, key)
    except Refused as refused:
        return await _app_page(visit, key=key, problem=refused)
    return flash.say(visit, environment.home(app_id, key), f"The environment {key} is made.")


async def _app_page(visit: Visit, *, key: str = "", problem: Refused | None = None) -> Response:
    view = await show_app(visit.services, visit.actor, visit.path("app_id"))
    return draw(
        visit,
        "console/app.html",
        status=problem.reason.status if problem is not None else 200,
        view=view,
        public_url=visit.services.public_url,
        key=key,
        problem=problem,
    )


async def _apps_page(visit: Visit, *, name: str, problem: Refused | None) -> Response:
    return draw(
        visit,
        "console/apps.html",
        status=problem.reason.status if problem is not None else 200,
        apps=await list_apps(visit.services, visit.actor),
        public_url=visit.services.public_url,
        name=name,
        problem=problem,
    )
