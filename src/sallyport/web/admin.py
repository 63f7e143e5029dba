"""The admin console: a customer's sites, the apps connected to them, and the switch."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import installations
from sallyport.control.catalog import AppOnSite, app_on_site, connected_apps
from sallyport.control.integrations import IntegrationView, integrations_of_site
from sallyport.control.records import decisions_of_site, explain
from sallyport.control.sites import find_site, my_sites
from sallyport.control.switch import rest_apis, set_rest_apis
from sallyport.model.decision import DecisionRecord
from sallyport.model.directory import SiteRole
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.visit import Visit, see_other

RECENT = 20


async def show_sites(visit: Visit) -> Response:
    return draw(visit, "admin/sites.html", sites=await my_sites(visit.services, visit.actor))


async def show_site(visit: Visit) -> Response:
    return await _site_page(visit)


async def install(visit: Visit, form: FormData) -> Response:
    """Install an app by its id. Its REST APIs stay off."""
    app_id, environment = one(form, "app_id").strip(), one(form, "environment").strip()
    try:
        made = await installations.install(
            visit.services,
            visit.actor,
            app_id,
            environment,
            visit.path("site"),
            one(form, "product"),
        )
    except Refused as refused:
        return await _site_page(visit, app_id=app_id, environment=environment, problem=refused)
    return see_other(_address(made.site.id, made.app.id, made.environment.key))


async def show_app(visit: Visit) -> Response:
    """One app environment on one site: the switch, what it opens, who calls, what was refused."""
    place = _place(visit)
    view = await app_on_site(visit.services, visit.actor, *place)
    is_admin = view.role is SiteRole.ADMIN
    callers: tuple[IntegrationView, ...] = ()
    refusals: list[DecisionRecord] = []
    if is_admin:
        callers = await _callers(visit, view)
        refusals = [
            each
            for each in await decisions_of_site(
                visit.services, visit.actor, view.site.id, refused_only=True, limit=200
            )
            if each.environment_id == view.environment.id
        ][:RECENT]
    return draw(
        visit,
        "admin/app.html",
        view=view,
        switch=await rest_apis(visit.services, visit.actor, *place),
        is_admin=is_admin,
        routes=list(dict.fromkeys(route for each in view.installations for route in each.routes)),
        callers=callers,
        refusals=refusals,
        address=_address(*place),
    )


async def turn(visit: Visit, form: FormData) -> Response:
    """Turn REST APIs on or off. When the page comes back, it is so."""
    wanted = one(form, "turn")
    if wanted not in ("on", "off"):
        raise Refused(Reason.INVALID_INPUT, "The switch is turned on or off.")
    place = _place(visit)
    await set_rest_apis(visit.services, visit.actor, *place, wanted == "on")
    return see_other(_address(*place))


async def upgrade(visit: Visit, form: FormData) -> Response:
    await installations.upgrade(visit.services, visit.actor, one(form, "installation"))
    return see_other(_address(*_place(visit)))


async def uninstall(visit: Visit, form: FormData) -> Response:
    await installations.uninstall(visit.services, visit.actor, one(form, "installation"))
    return see_other(f"/admin/sites/{visit.path('site')}")


async def show_decision(visit: Visit) -> Response:
    """Why a call was let in or refused: the row of gates."""
    site = await find_site(visit.services, visit.actor, visit.path("site"))
    explained = await explain(visit.services, visit.actor, visit.path("decision_id"))
    if explained.record.site_id != site.id:
        raise Refused(Reason.NOT_FOUND, "There is no such decision about this site.")
    return draw(visit, "admin/decision.html", site=site, explained=explained)


async def _site_page(
    visit: Visit,
    *,
    app_id: str = "",
    environment: str = "production",
    problem: Refused | None = None,
) -> Response:
    view = await connected_apps(visit.services, visit.actor, visit.path("site"))
    return draw(
        visit,
        "admin/site.html",
        status=problem.reason.status if problem is not None else 200,
        view=view,
        is_admin=view.role is SiteRole.ADMIN,
        app_id=app_id,
        environment=environment,
        problem=problem,
    )


async def _callers(visit: Visit, view: AppOnSite) -> tuple[IntegrationView, ...]:
    linked = await integrations_of_site(visit.services, visit.actor, view.site.id)
    return tuple(
        each
        for each in linked
        if any(held.environment.id == view.environment.id for held in each.links)
    )


def _place(visit: Visit) -> tuple[str, str, str]:
    return visit.path("site"), visit.path("app_id"), visit.path("environment")


def _address(site: str, app_id: str, environment: str) -> str:
    return f"/admin/sites/{site}/apps/{app_id}/environments/{environment}"
