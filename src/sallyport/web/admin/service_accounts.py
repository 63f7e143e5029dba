"""Service accounts of a site: made, given secrets, ended by its admins."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import service_accounts as control
from sallyport.control.call_figures import Parties, last_day
from sallyport.control.catalog import AppOnSite, app_on_site, connected_apps
from sallyport.control.links import LinkRequest
from sallyport.control.service_accounts import ServiceAccountView
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.admin.frame import Frame, acting, admins_frame, draw_site
from sallyport.web.admin.usage import usage_of_day
from sallyport.web.drawing import isolated, plural
from sallyport.web.flash import say
from sallyport.web.forms import many, one
from sallyport.web.visit import Visit


async def show_list(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    return draw_site(
        visit,
        frame,
        "service_accounts.html",
        tab="/service-accounts",
        accounts=await control.list_service_accounts(visit.services, visit.actor, frame.site.id),
        usage=await usage_of_day(visit, frame.site.id, "integration"),
        apps=(await connected_apps(visit.services, visit.actor, frame.site.id)).apps,
    )


async def show_new(visit: Visit) -> Response:
    """Choose the app first, then its scopes."""
    return await _new_page(visit, visit.request.query_params.get("app", ""))


async def create(visit: Visit, form: FormData) -> Response:
    """Make one, and answer with its secret: the only time that it is shown."""
    app, name, scopes = one(form, "app"), one(form, "name"), many(form, "scope")
    app_id, _, environment = app.partition("/")
    wanted = LinkRequest(visit.path("site"), app_id, environment, tuple(scopes), ())
    try:
        made, secret = await control.create_service_account(
            visit.services, visit.actor, name, wanted
        )
    except Refused as refused:
        if refused.reason in (Reason.NOT_FOUND, Reason.NOT_ALLOWED):
            raise
        return await _new_page(visit, app, name, frozenset(scopes), refused)
    return await _page(visit, made, secret=secret, status=201)


async def show_one(visit: Visit) -> Response:
    return await _page(visit, await _account(visit))


async def rotate(visit: Visit, form: FormData) -> Response:
    """A new secret, shown this once."""
    site, client_id = visit.path("site"), visit.path("client_id")
    try:
        secret = await control.rotate_secret(visit.services, visit.actor, site, client_id)
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, await _account(visit), problem=refused)
    return await _page(visit, await _account(visit), secret=secret, status=201)


async def end_previous(visit: Visit, form: FormData) -> Response:
    site, client_id = visit.path("site"), visit.path("client_id")
    try:
        await control.end_previous_secret(visit.services, visit.actor, site, client_id)
    except Refused as refused:
        if refused.reason is not Reason.CONFLICT:
            raise
        return await _page(visit, await _account(visit), problem=refused)
    address = f"/admin/sites/{site}/service-accounts/{client_id}"
    return say(visit, address, "The previous secret is ended.")


async def ask_to_end(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    view = await _account(visit)
    address = f"{frame.address}/service-accounts/{view.account.client_id}"
    of = Parties(client_id=view.account.client_id)
    day = await last_day(visit.services, visit.actor, frame.site.id, of)
    return confirm.ask(
        visit,
        f"End {isolated(view.account.name)}?",
        "End service account",
        [
            f"Its next call to {view.app.name} is refused, and it gets no more tokens.",
            f"{plural(day.calls, 'call')} of it came in the last day.",
            "This cannot be undone; make another to let a machine call again.",
        ],
        action=f"{address}/end",
        back=address,
        trail=_trail(frame, (view.account.name, address), ("End", None)),
        reason=True,
    )


async def end(visit: Visit, form: FormData) -> Response:
    view = await _account(visit)
    site = visit.path("site")
    await control.end_service_account(
        visit.services, acting(visit, form), site, view.account.client_id
    )
    return say(visit, f"/admin/sites/{site}/service-accounts", f"{view.account.name} is ended.")


async def _account(visit: Visit) -> ServiceAccountView:
    return await control.show_service_account(
        visit.services, visit.actor, visit.path("site"), visit.path("client_id")
    )


async def _page(
    visit: Visit,
    view: ServiceAccountView,
    *,
    secret: str | None = None,
    status: int = 200,
    problem: Refused | None = None,
) -> Response:
    frame = await admins_frame(visit)
    of = Parties(client_id=view.account.client_id)
    return draw_site(
        visit,
        frame,
        "service_account.html",
        tab="/service-accounts",
        trail=_trail(frame, (view.account.name, None)),
        status=status,
        problem=problem,
        view=view,
        secret=secret,
        token_url=f"{visit.services.public_url}/oauth/token",
        day=await last_day(visit.services, visit.actor, frame.site.id, of),
        address=f"{frame.address}/service-accounts/{view.account.client_id}",
    )


async def _new_page(
    visit: Visit,
    app: str,
    name: str = "",
    chosen: frozenset[str] = frozenset(),
    problem: Refused | None = None,
) -> Response:
    frame = await admins_frame(visit)
    apps = (await connected_apps(visit.services, visit.actor, frame.site.id)).apps
    offered: AppOnSite | None = None
    if app:
        app_id, _, environment = app.partition("/")
        offered = await app_on_site(visit.services, visit.actor, frame.site.id, app_id, environment)
    places = {
        f"{each.installed.app.id}/{each.installed.environment.key}": each.title for each in apps
    }
    return draw_site(
        visit,
        frame,
        "service_account_new.html",
        tab="/service-accounts",
        trail=_trail(frame, ("New", None)),
        problem=problem,
        places=list(places.items()),
        app=app,
        offered=offered,
        name=name,
        chosen=chosen,
    )


def _trail(frame: Frame, *steps: tuple[str, str | None]) -> list[tuple[str, str | None]]:
    return frame.trail(("Service accounts", f"{frame.address}/service-accounts"), *steps)
