"""The developer console's integrations: OAuth clients, their links, callback URLs and secrets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import integrations
from sallyport.control.catalog import AppOnSite, app_on_site
from sallyport.control.installations import Installed, list_installations
from sallyport.control.integration_use import integration_use
from sallyport.control.integrations import LinkRequest
from sallyport.control.sites import my_sites
from sallyport.vocab.clock import DAY
from sallyport.vocab.errors import Refused
from sallyport.web import flash
from sallyport.web.charts import hours
from sallyport.web.drawing import draw
from sallyport.web.forms import lines, many, one
from sallyport.web.visit import Visit

LIST = "/console/integrations"
PLACE = ("site", "app_id", "environment")


async def show_list(visit: Visit) -> Response:
    mine = await integrations.list_integrations(visit.services, visit.actor)
    return draw(visit, "console/integrations.html", integrations=mine)


async def show_new(visit: Visit) -> Response:
    """First choose the app, then name the integration and choose what it may ask for."""
    place = place_asked_for(visit)
    if place is None:
        return await _choose(visit, LIST + "/new", "Create an integration")
    return await _new_page(visit, place)


async def create(visit: Visit, form: FormData) -> Response:
    """Make it, and answer with its page: the only time that the secret is shown."""
    wanted = _link_of(form)
    try:
        view, secret = await integrations.create_integration(
            visit.services,
            visit.actor,
            one(form, "name"),
            lines(form, "redirect_uris"),
            wanted,
            public=one(form, "client") == "public",
            forge_compatible=one(form, "client") == "forge",
        )
    except Refused as refused:
        return await _new_page(
            visit,
            (wanted.site, wanted.app_id, wanted.environment),
            name=one(form, "name"),
            callbacks=one(form, "redirect_uris"),
            client=one(form, "client"),
            chosen=(*wanted.scopes, *wanted.product_scopes),
            optional=wanted.optional_scopes,
            note=wanted.note,
            problem=refused,
        )
    return await _one_page(visit, view, secret=secret, status=201)


async def show_one(visit: Visit) -> Response:
    return await _one_page(visit, await shown(visit))


async def change(visit: Visit, form: FormData) -> Response:
    client_id, callbacks = visit.path("client_id"), one(form, "redirect_uris")
    try:
        await integrations.change_integration(
            visit.services,
            visit.actor,
            client_id,
            name=one(form, "name"),
            redirect_uris=lines(form, "redirect_uris"),
        )
    except Refused as refused:
        page = await shown(visit)
        return await _one_page(
            visit, page, problem=refused, name=one(form, "name"), callbacks=callbacks
        )
    return flash.say(visit, f"{LIST}/{client_id}", "Saved.")


async def show_link(visit: Visit) -> Response:
    """Link to a further app, or change what a link may ask for."""
    view = await shown(visit)
    action = f"{LIST}/{view.integration.client_id}/links"
    place = place_asked_for(visit)
    if place is None:
        return await _choose(visit, action, f"Link {view.integration.name} to an app")
    return await _link_page(visit, view, place)


async def link(visit: Visit, form: FormData) -> Response:
    client_id, wanted = visit.path("client_id"), _link_of(form)
    try:
        await integrations.link_integration(visit.services, visit.actor, client_id, wanted)
    except Refused as refused:
        place = (wanted.site, wanted.app_id, wanted.environment)
        chosen = (*wanted.scopes, *wanted.product_scopes)
        return await _link_page(
            visit,
            await shown(visit),
            place,
            chosen=chosen,
            optional=wanted.optional_scopes,
            note=wanted.note,
            problem=refused,
        )
    return flash.say(visit, f"{LIST}/{client_id}", "The scopes are saved.")


async def rotate(visit: Visit, form: FormData) -> Response:
    """A new secret beside the one before; shown in this answer alone."""
    secret = await integrations.rotate_secret(visit.services, visit.actor, visit.path("client_id"))
    return await _one_page(visit, await shown(visit), secret=secret, status=201)


async def shown(visit: Visit) -> integrations.IntegrationView:
    return await integrations.show_integration(visit.services, visit.actor, visit.path("client_id"))


async def _one_page(
    visit: Visit,
    view: integrations.IntegrationView,
    *,
    status: int = 200,
    secret: str | None = None,
    problem: Refused | None = None,
    name: str | None = None,
    callbacks: str | None = None,
) -> Response:
    held = view.integration
    mine = held.owner_id == visit.actor.account_id
    used = None
    now = visit.services.store.clock.now()
    if mine:
        used = await integration_use(visit.services, visit.actor, held.client_id)
    return draw(
        visit,
        "console/integration.html",
        status=problem.reason.status if problem is not None else status,
        view=view,
        secret=secret,
        problem=problem,
        name=held.name if name is None else name,
        callbacks="\n".join(held.redirect_uris) if callbacks is None else callbacks,
        mine=mine,
        used=used,
        lately=used.calls_since(now - DAY) if used is not None else 0,
        chart=hours("Calls an hour", used.hours, now, 24) if used is not None else "",
    )


async def _new_page(
    visit: Visit,
    place: tuple[str, str, str],
    *,
    name: str = "",
    callbacks: str = "",
    client: str = "",
    chosen: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    note: str = "",
    problem: Refused | None = None,
) -> Response:
    return draw(
        visit,
        "console/integration_new.html",
        status=problem.reason.status if problem is not None else 200,
        name=name,
        callbacks=callbacks,
        client=client,
        note=note,
        problem=problem,
        **_offer(await app_on_site(visit.services, visit.actor, *place), chosen, optional),
    )


async def _link_page(
    visit: Visit,
    view: integrations.IntegrationView,
    place: tuple[str, str, str],
    *,
    chosen: tuple[str, ...] | None = None,
    optional: tuple[str, ...] = (),
    note: str = "",
    problem: Refused | None = None,
) -> Response:
    offered = await app_on_site(visit.services, visit.actor, *place)
    if chosen is None:
        here = (offered.site.id, offered.environment.id)
        held = [
            each for each in view.integration.links if (each.site_id, each.environment_id) == here
        ]
        chosen = tuple(scope for each in held for scope in each.scopes | each.product_scopes)
        optional = tuple(scope for each in held for scope in each.optional)
    return draw(
        visit,
        "console/integration_link.html",
        status=problem.reason.status if problem is not None else 200,
        view=view,
        note=note,
        problem=problem,
        **_offer(offered, chosen, optional),
    )


def _offer(
    offered: AppOnSite, chosen: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    """What the form offers; with nothing chosen yet, the product scopes, which every call needs."""
    return {
        "offered": offered,
        "chosen": chosen or offered.product_scopes,
        "optional": optional,
    }


async def _choose(visit: Visit, action: str, title: str) -> Response:
    mine = {site.id for site, _ in await my_sites(visit.services, visit.actor)}
    seen = await list_installations(visit.services, visit.actor)
    places: dict[str, Installed] = {}
    for each in seen:
        if each.site.id in mine:
            place = (each.site.id, each.app.id, each.environment.key)
            places.setdefault(urlencode(dict(zip(PLACE, place, strict=True))), each)
    return draw(
        visit, "console/integration_choose.html", action=action, heading=title, places=places
    )


def place_asked_for(visit: Visit) -> tuple[str, str, str] | None:
    query = visit.request.query_params
    site, app_id, environment = (query.get(name) for name in PLACE)
    return (site, app_id, environment) if site and app_id and environment else None


def _link_of(form: FormData) -> LinkRequest:
    return LinkRequest(
        site=one(form, "site"),
        app_id=one(form, "app_id"),
        environment=one(form, "environment"),
        scopes=tuple(many(form, "scope")),
        product_scopes=tuple(many(form, "product_scope")),
        optional_scopes=tuple(many(form, "optional_scope")),
        note=one(form, "note"),
    )
