"""The developer console: ending what an integration has, after saying what breaks."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import integrations
from sallyport.control.integration_use import integration_use
from sallyport.control.integrations import LinkView
from sallyport.vocab.clock import DAY
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import confirm, flash
from sallyport.web.drawing import plural
from sallyport.web.forms import one
from sallyport.web.integrations import LIST, PLACE, place_asked_for, shown
from sallyport.web.visit import Visit


async def ask_unlink(visit: Visit) -> Response:
    view, home = await shown(visit), f"{LIST}/{visit.path('client_id')}"
    place = place_asked_for(visit)
    link = next((each for each in view.links if place == _place_of(each)), None)
    if link is None or place is None:
        raise Refused(
            Reason.NOT_FOUND,
            "The integration has no such link.",
            fix="Choose one of the links on the integration's page.",
        )
    where = f"{link.app.name}, {link.environment.key}, on {link.site.host}"
    return confirm.ask(
        visit,
        f"Unlink {view.integration.name} from {link.app.name}?",
        "Unlink it",
        [
            f"It can no longer ask for consent for {where}.",
            "Tokens that it holds for it are refused at the next call.",
            *await _calls_lately(visit, view),
        ],
        action=f"{home}/unlink",
        back=home,
        trail=_trail(view, "Unlink"),
        fields=list(zip(PLACE, place, strict=True)),
    )


async def unlink(visit: Visit, form: FormData) -> Response:
    client_id = visit.path("client_id")
    site, app_id, environment = (one(form, name) for name in PLACE)
    await integrations.unlink_integration(
        visit.services, visit.actor, client_id, site, app_id, environment
    )
    return flash.say(visit, f"{LIST}/{client_id}", "The link is gone; its tokens open nothing now.")


async def ask_end_previous(visit: Visit) -> Response:
    view, home = await shown(visit), f"{LIST}/{visit.path('client_id')}"
    return confirm.ask(
        visit,
        "End the previous secret?",
        "End it",
        [
            "A server that still sends it gets no token any more, nor can it refresh one.",
            "Tokens that live go on until they expire.",
            *await _calls_lately(visit, view),
        ],
        action=f"{home}/secrets/end-previous",
        back=home,
        trail=_trail(view, "Secrets"),
    )


async def end_previous(visit: Visit, form: FormData) -> Response:
    client_id = visit.path("client_id")
    await integrations.end_previous_secret(visit.services, visit.actor, client_id)
    return flash.say(visit, f"{LIST}/{client_id}", "The previous secret has ended.")


async def ask_revoke(visit: Visit) -> Response:
    view, home = await shown(visit), f"{LIST}/{visit.path('client_id')}"
    name = view.integration.name
    return confirm.ask(
        visit,
        f"Revoke {name}?",
        f"Revoke {name}",
        [
            "Every consent to it ends, and every token with them: the next call is refused.",
            *await _calls_lately(visit, view),
            "This cannot be undone.",
        ],
        action=f"{home}/revoke",
        back=home,
        trail=_trail(view, "Revoke"),
    )


async def revoke(visit: Visit, form: FormData) -> Response:
    view = await shown(visit)
    await integrations.end_integration(visit.services, visit.actor, visit.path("client_id"))
    return flash.say(visit, LIST, f"{view.integration.name} has ended.")


async def _calls_lately(visit: Visit, view: integrations.IntegrationView) -> list[str]:
    """What will break, for who made it: consents, and calls in the last day."""
    if view.integration.owner_id != visit.actor.account_id:
        return []
    used = await integration_use(visit.services, visit.actor, view.integration.client_id)
    calls = used.calls_since(visit.services.store.clock.now() - DAY)
    return [
        f"{plural(used.consents, 'consent')} to it; "
        f"{plural(calls, 'call')} of it came in the last day."
    ]


def _trail(view: integrations.IntegrationView, last: str) -> confirm.Trail:
    home = f"{LIST}/{view.integration.client_id}"
    return [("OAuth 2.0 integrations", LIST), (view.integration.name, home), (last, None)]


def _place_of(link: LinkView) -> tuple[str, str, str]:
    return link.site.id, link.app.id, link.environment.key
