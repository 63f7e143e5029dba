"""One app environment on one site: the switch, what it opens, who calls, what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import installations
from sallyport.control.call_figures import LastDay, Parties, last_day
from sallyport.control.catalog import AppOnSite, ConnectedApp, app_on_site
from sallyport.control.grants import GrantLine, site_grants
from sallyport.control.integrations import integrations_of_site
from sallyport.control.records import DecisionQuery, decisions_of_site
from sallyport.control.service_accounts import list_service_accounts
from sallyport.control.switch import RestApis, rest_apis, set_rest_apis
from sallyport.control.usage import Usage
from sallyport.model.decision import DecisionRecord
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.admin.frame import Frame, acting, admins_frame, draw_site, frame_of
from sallyport.web.admin.usage import Figures, figures_of, times_of, usage_of_day
from sallyport.web.drawing import plural
from sallyport.web.flash import say
from sallyport.web.forms import one
from sallyport.web.visit import Visit

RECENT = 6
MOST_GRANTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Caller:
    """An integration or a service account that is linked to the app, and where it is managed."""

    name: str
    by: str
    machine: bool
    scopes: tuple[str, ...]
    calls: int
    address: str


@dataclass(frozen=True, slots=True)
class AdminsView:
    """What admins see besides: callers, consents, figures of the last day, recent refusals."""

    callers: tuple[Caller, ...]
    grants: list[GrantLine]
    figures: Figures
    routes: Mapping[str | int | None, Usage]
    refusals: list[DecisionRecord]

    @property
    def able(self) -> int:
        """How many callers hold a scope."""
        return sum(bool(each.scopes) for each in self.callers)


async def show_app(visit: Visit) -> Response:
    frame, view, switch = await _app(visit)
    return draw_site(
        visit,
        frame,
        "app.html",
        trail=frame.trail((view.title, None)),
        view=view,
        switch=switch,
        routes=list(dict.fromkeys(route for each in view.installations for route in each.routes)),
        seen=await _admins_view(visit, frame, view) if frame.is_admin else None,
        address=_address(visit),
    )


async def ask_to_turn_off(visit: Visit) -> Response:
    """Say what turning off breaks, before it is done."""
    frame, view, _ = await _app(visit, admins=True)
    day = await _last_day(visit, view)
    address = _address(visit)
    return confirm.ask(
        visit,
        f"Turn off REST APIs of {view.title}?",
        "Turn off",
        [
            f"The next call to it on {frame.site.host} is refused, everywhere.",
            f"{plural(day.calls, 'call')} came in the last day.",
            "Consents and links stay; turning on again opens it to the same callers.",
        ],
        action=f"{address}/rest-apis",
        back=address,
        trail=frame.trail((view.title, address), ("Turn off", None)),
        fields=[("turn", "off")],
        reason=True,
    )


async def turn(visit: Visit, form: FormData) -> Response:
    """Turn REST APIs on or off. When the page comes back, it is so."""
    wanted = one(form, "turn")
    if wanted not in ("on", "off"):
        raise Refused(Reason.INVALID_INPUT, "The switch is turned on or off.")
    made = await set_rest_apis(visit.services, acting(visit, form), *_place(visit), wanted == "on")
    if wanted == "on":
        text = "REST APIs are on. Give callers a base URL."
    elif made.reach is not None and made.reach.everywhere:
        text = "REST APIs are off, everywhere: the next call is refused."
    else:
        text = "REST APIs are off. Some processes have yet to hear of it; load the page again."
    return say(visit, _address(visit), text)


async def upgrade(visit: Visit, form: FormData) -> Response:
    _, view, _ = await _app(visit, admins=True)
    held = _held(view, one(form, "installation"))
    await installations.upgrade(visit.services, visit.actor, held.installed.installation.id)
    return say(visit, _address(visit), "Upgraded. Calls run the new version from now on.")


async def ask_to_uninstall(visit: Visit) -> Response:
    frame, view, _ = await _app(visit, admins=True)
    wanted = visit.request.query_params.get("installation", "")
    held = _held(view, wanted)
    product, day = held.installed.installation.product, await _last_day(visit, view)
    breaks = [
        f"Calls to it on {product} are refused from then on, and what runs is stopped.",
        f"{plural(day.calls, 'call')} came to the app in the last day.",
        "The app's data of this installation is deleted. This cannot be undone.",
    ]
    if len(view.installations) == 1:
        breaks.append("It is the last product: consents to the app end, and the switch goes off.")
    address = _address(visit)
    return confirm.ask(
        visit,
        f"Uninstall {view.title} from {product}?",
        "Uninstall",
        breaks,
        action=f"{address}/uninstall",
        back=address,
        trail=frame.trail((view.title, address), ("Uninstall", None)),
        fields=[("installation", wanted)],
        reason=True,
    )


async def uninstall(visit: Visit, form: FormData) -> Response:
    _, view, _ = await _app(visit, admins=True)
    held = _held(view, one(form, "installation"))
    actor = acting(visit, form)
    await installations.uninstall(visit.services, actor, held.installed.installation.id)
    return say(visit, f"/admin/sites/{visit.path('site')}", "Uninstalled, with its data.")


def _held(view: AppOnSite, wanted: str) -> ConnectedApp:
    """The installation of this id, of the app and on the site that the address names."""
    for each in view.installations:
        if each.installed.installation.id == wanted:
            return each
    raise Refused(Reason.NOT_FOUND, "There is no such installation of this app on this site.")


async def _app(visit: Visit, *, admins: bool = False) -> tuple[Frame, AppOnSite, RestApis]:
    frame = await (admins_frame if admins else frame_of)(visit)
    view = await app_on_site(visit.services, visit.actor, *_place(visit))
    return frame, view, await rest_apis(visit.services, visit.actor, *_place(visit))


async def _admins_view(visit: Visit, frame: Frame, view: AppOnSite) -> AdminsView:
    services, actor, site = visit.services, visit.actor, view.site.id
    here = view.environment.id
    return AdminsView(
        callers=await _callers(visit, frame, here),
        grants=await site_grants(services, actor, site, here),
        figures=await figures_of(visit, site, times_of(visit, "day"), Parties(environment_id=here)),
        routes=await usage_of_day(visit, site, "route", here),
        refusals=await decisions_of_site(
            services, actor, site, DecisionQuery(refused_only=True, environment_id=here), RECENT
        ),
    )


async def _callers(visit: Visit, frame: Frame, environment_id: str) -> tuple[Caller, ...]:
    """Most calls first."""
    services, actor, site = visit.services, visit.actor, frame.site.id
    used = await usage_of_day(visit, site, "integration", environment_id)

    def calls(client_id: str) -> int:
        usage = used.get(client_id)
        return usage.calls if usage is not None else 0

    found = [
        Caller(
            each.integration.name,
            each.owner.email if each.owner is not None else "",
            False,
            tuple(sorted(link.link.scopes | link.link.product_scopes)),
            calls(each.integration.client_id),
            f"{frame.address}/integrations/{each.integration.client_id}",
        )
        for each in await integrations_of_site(services, actor, site)
        for link in each.links
        if link.environment.id == environment_id
    ]
    found += [
        Caller(
            each.account.name,
            "",
            True,
            tuple(sorted(each.account.grant.scopes)),
            calls(each.account.client_id),
            f"{frame.address}/service-accounts/{each.account.client_id}",
        )
        for each in await list_service_accounts(services, actor, site)
        if each.environment.id == environment_id
    ]
    return tuple(sorted(found, key=lambda each: -each.calls))


async def _last_day(visit: Visit, view: AppOnSite) -> LastDay:
    of = Parties(environment_id=view.environment.id)
    return await last_day(visit.services, visit.actor, view.site.id, of)


def _place(visit: Visit) -> tuple[str, str, str]:
    return visit.path("site"), visit.path("app_id"), visit.path("environment")


def _address(visit: Visit) -> str:
    site, app_id, environment = _place(visit)
    return f"/admin/sites/{site}/apps/{app_id}/environments/{environment}"
