"""Integrations that are linked to apps of a site, and the consents that people gave them."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.approvals import approval_queue, take_back_scopes
from sallyport.control.call_figures import Parties, last_day
from sallyport.control.grants import GrantLine, end_site_grant, site_grants
from sallyport.control.integrations import (
    IntegrationView,
    LinkView,
    end_integration,
    integrations_of_site,
    unlink_integration,
)
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm
from sallyport.web.admin.frame import Frame, acting, admins_frame, draw_site
from sallyport.web.admin.usage import usage_of_day
from sallyport.web.drawing import isolated, plural
from sallyport.web.flash import say
from sallyport.web.forms import many, one
from sallyport.web.visit import Visit

MOST_GRANTS = 500


async def show_list(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    return draw_site(
        visit,
        frame,
        "integrations.html",
        tab="/integrations",
        integrations=await integrations_of_site(visit.services, visit.actor, frame.site.id),
        usage=await usage_of_day(visit, frame.site.id, "integration"),
        grants=(await site_grants(visit.services, visit.actor, frame.site.id))[:MOST_GRANTS],
    )


async def show_one(visit: Visit) -> Response:
    frame, view = await _integration(visit)
    grants = await site_grants(visit.services, visit.actor, frame.site.id)
    client_id = view.integration.client_id
    queue = await approval_queue(visit.services, visit.actor, frame.site.id)
    return draw_site(
        visit,
        frame,
        "integration.html",
        tab="/integrations",
        trail=frame.trail(
            ("Integrations", f"{frame.address}/integrations"), (view.integration.name, None)
        ),
        view=view,
        grants=[each for each in grants if each.grant.client_id == client_id],
        day=await last_day(
            visit.services, visit.actor, frame.site.id, Parties(client_id=client_id)
        ),
        required=queue.required,
        address=f"{frame.address}/integrations/{client_id}",
    )


async def ask_to_end(visit: Visit) -> Response:
    frame, view = await _integration(visit)
    address, name = f"{frame.address}/integrations/{visit.path('client_id')}", view.integration.name
    day = await last_day(
        visit.services, visit.actor, frame.site.id, Parties(client_id=view.integration.client_id)
    )
    return confirm.ask(
        visit,
        f"End {isolated(name)}?",
        "End integration",
        [
            "Its next call is refused, on every site that it is linked to, for everybody.",
            f"{plural(day.calls, 'call')} of it came to {frame.site.host} in the last day.",
            "Its secrets and every consent to it end. This cannot be undone; its owner can make "
            "another, and people have to consent again.",
        ],
        action=f"{address}/end",
        back=address,
        trail=_trail(frame, view, "End"),
        reason=True,
    )


async def end(visit: Visit, form: FormData) -> Response:
    frame, view = await _integration(visit)
    await end_integration(visit.services, acting(visit, form), view.integration.client_id)
    return say(visit, f"{frame.address}/integrations", f"{view.integration.name} is ended.")


async def ask_to_unlink(visit: Visit) -> Response:
    frame, view = await _integration(visit)
    link = _link(view, visit.request.query_params.get("environment", ""))
    address = f"{frame.address}/integrations/{view.integration.client_id}"
    of = Parties(environment_id=link.environment.id, client_id=view.integration.client_id)
    day = await last_day(visit.services, visit.actor, frame.site.id, of)
    return confirm.ask(
        visit,
        f"Unlink {isolated(view.integration.name)} from {isolated(link.app.name)}?",
        "Unlink",
        [
            f"Its next call to {link.app.name} ({link.environment.key}) is refused.",
            f"{plural(day.calls, 'call')} of it came in the last day.",
            "Its owner can ask to link it again"
            + ("." if await _requires(visit, frame) else "; no approval is required for that."),
        ],
        action=f"{address}/unlink",
        back=address,
        trail=_trail(frame, view, "Unlink"),
        fields=[("environment", link.environment.id)],
        reason=True,
    )


async def unlink(visit: Visit, form: FormData) -> Response:
    frame, view = await _integration(visit)
    link = _link(view, one(form, "environment"))
    await unlink_integration(
        visit.services,
        acting(visit, form),
        view.integration.client_id,
        frame.site.id,
        link.app.id,
        link.environment.key,
    )
    address = f"{frame.address}/integrations"
    return say(visit, address, f"{view.integration.name} is unlinked from {link.app.name}.")


async def show_take_back(visit: Visit) -> Response:
    return await _take_back_page(visit, visit.request.query_params.get("environment", ""))


async def take_back(visit: Visit, form: FormData) -> Response:
    """Take the ticked scopes from a link; the reason is for its owner."""
    frame, view = await _integration(visit)
    environment_id, scopes = one(form, "environment"), many(form, "scope")
    link = _link(view, environment_id)
    try:
        if not scopes:
            raise Refused(
                Reason.INVALID_INPUT,
                "No scope is ticked.",
                fix="Tick what to take back.",
                members={"field": "scope"},
            )
        taken = await take_back_scopes(
            visit.services,
            visit.actor,
            frame.site.id,
            view.integration.client_id,
            link.app.id,
            link.environment.key,
            scopes,
            one(form, "reason"),
        )
    except Refused as refused:
        return await _take_back_page(
            visit, environment_id, frozenset(scopes), one(form, "reason"), refused
        )
    address = f"{frame.address}/integrations/{view.integration.client_id}"
    return say(visit, address, f"Taken back: {', '.join(taken)}. The next call is refused.")


async def ask_to_end_grant(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    line = await _grant(visit, frame)
    day = await last_day(
        visit.services, visit.actor, frame.site.id, Parties(grant_id=line.grant.id)
    )
    back = f"{frame.address}/integrations/{line.grant.client_id}"
    return confirm.ask(
        visit,
        f"End the consent of {isolated(line.account_email)}?",
        "End consent",
        [
            f"The next call of {line.integration_name} to {line.app_name} for this person is "
            "refused.",
            f"{plural(day.calls, 'call')} by this consent came in the last day.",
            "The person can consent again.",
        ],
        action=f"{frame.address}/grants/{line.grant.id}/end",
        back=back,
        trail=frame.trail(
            ("Integrations", f"{frame.address}/integrations"),
            (line.integration_name, back),
            ("End consent", None),
        ),
        reason=True,
    )


async def end_grant(visit: Visit, form: FormData) -> Response:
    frame = await admins_frame(visit)
    line = await _grant(visit, frame)
    await end_site_grant(visit.services, acting(visit, form), frame.site.id, line.grant.id)
    text = f"The consent of {line.account_email} is ended: the next call by it is refused."
    return say(visit, f"{frame.address}/integrations", text)


async def _take_back_page(
    visit: Visit,
    environment_id: str,
    chosen: frozenset[str] = frozenset(),
    reason: str = "",
    problem: Refused | None = None,
) -> Response:
    frame, view = await _integration(visit)
    link = _link(view, environment_id)
    of = Parties(environment_id=link.environment.id, client_id=view.integration.client_id)
    return draw_site(
        visit,
        frame,
        "take_back.html",
        tab="/integrations",
        trail=_trail(frame, view, "Take back scopes"),
        view=view,
        link=link,
        day=await last_day(visit.services, visit.actor, frame.site.id, of),
        required=await _requires(visit, frame),
        chosen=chosen,
        reason=reason,
        address=f"{frame.address}/integrations/{view.integration.client_id}",
        problem=problem,
    )


async def _integration(visit: Visit) -> tuple[Frame, IntegrationView]:
    """The integration as the site's admins see it, without its links elsewhere."""
    frame = await admins_frame(visit)
    for each in await integrations_of_site(visit.services, visit.actor, frame.site.id):
        if each.integration.client_id == visit.path("client_id"):
            return frame, each
    raise Refused(
        Reason.NOT_FOUND,
        "There is no such integration on this site.",
        fix="It may have been ended or unlinked; the site's integrations are listed.",
    )


def _link(view: IntegrationView, environment_id: str) -> LinkView:
    for each in view.links:
        if each.environment.id == environment_id:
            return each
    raise Refused(
        Reason.NOT_FOUND,
        "The integration has no such link on this site.",
        fix="It may have been removed; the integration's page lists its links.",
    )


async def _grant(visit: Visit, frame: Frame) -> GrantLine:
    for each in await site_grants(visit.services, visit.actor, frame.site.id):
        if each.grant.id == visit.path("grant_id"):
            return each
    raise Refused(
        Reason.NOT_FOUND,
        "There is no such consent here.",
        fix="It may have been ended already; the integration's page lists consents.",
    )


async def _requires(visit: Visit, frame: Frame) -> bool:
    return (await approval_queue(visit.services, visit.actor, frame.site.id)).required


def _trail(frame: Frame, view: IntegrationView, last: str) -> list[tuple[str, str | None]]:
    address = f"{frame.address}/integrations"
    return frame.trail(
        ("Integrations", address),
        (view.integration.name, f"{address}/{view.integration.client_id}"),
        (last, None),
    )
