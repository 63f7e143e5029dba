"""Trying an integration in the browser: the way to consent that leads back to this platform.

The platform is a client's callback here, and nothing more: the integration's maker registers that
callback as any other, and proves the client with its own secret. No tokens pass through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from sallyport.control.catalog import AppOnSite, app_on_site
from sallyport.control.integrations import IntegrationView, change_integration, show_integration
from sallyport.control.services import Services
from sallyport.model.access import ClientKind, IntegrationLink
from sallyport.model.directory import Actor
from sallyport.vocab.errors import Reason, Refused

CALLBACK_PATH = "/console/try"


@dataclass(frozen=True, slots=True)
class Trial:
    """One link of an integration that can be tried. `callback` is this platform's own."""

    view: IntegrationView
    link: IntegrationLink
    offered: AppOnSite
    callback: str
    needs_secret: bool

    @property
    def is_ready(self) -> bool:
        """Whether the callback is registered, so that people may be sent back to it."""
        return self.callback in self.view.integration.redirect_uris

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for: all that the link holds, without staying connected."""
        return tuple(sorted(self.link.scopes | self.link.product_scopes))


async def show_trial(
    services: Services, actor: Actor, client_id: str, site: str, app_id: str, environment: str
) -> Trial:
    """The trial of one link, for the integration's maker. Raises `Refused`."""
    view = await show_integration(services, actor, client_id)
    held = view.integration
    if actor.account_id is not None and held.owner_id != actor.account_id:
        raise Refused(
            Reason.NOT_ALLOWED,
            "Only who made an integration can try it: it takes its secret.",
            fix="Make an integration of your own.",
        )
    if held.require_dpop or held.require_par or held.jwks is not None:
        raise Refused(
            Reason.CONFLICT,
            "This integration proves itself by a key, which stays with its program.",
            fix="Try it with that program; docs/reference/oauth.md says how.",
        )
    offered = await app_on_site(services, actor, site, app_id, environment)
    here = (offered.site.id, offered.environment.id)
    link = next((e for e in held.links if (e.site_id, e.environment_id) == here), None)
    if link is None:
        raise Refused(
            Reason.NOT_FOUND,
            "The integration has no such link.",
            fix="Choose one of the links on the integration's page.",
        )
    return Trial(
        view=view,
        link=link,
        offered=offered,
        callback=services.public_url + CALLBACK_PATH,
        needs_secret=held.kind is ClientKind.CONFIDENTIAL,
    )


async def add_callback(services: Services, actor: Actor, trial: Trial) -> None:
    """Register the platform's own callback with the integration. Raises `Refused`."""
    held = trial.view.integration
    await change_integration(
        services,
        actor,
        held.client_id,
        redirect_uris=[*held.redirect_uris, trial.callback],
    )


def authorization_address(services: Services, trial: Trial, state: str, challenge: str) -> str:
    """Where consent is asked for, with PKCE (S256). Raises `Refused` without the callback."""
    if not trial.is_ready:
        raise Refused(
            Reason.CONFLICT,
            "The callback of this page is not registered with the integration.",
            fix="Add it first; it can be taken away again.",
        )
    query = {
        "audience": "api.atlassian.com",
        "client_id": trial.view.integration.client_id,
        "scope": " ".join(trial.scopes),
        "redirect_uri": trial.callback,
        "sns": trial.offered.environment.namespace,
        "response_type": "code",
        "prompt": "consent",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": state,
    }
    return f"{services.public_url}/authorize?{urlencode(query, quote_via=quote, safe='')}"
