"""Every page's address, and the phases that no page can forget.

A shown page only reads. A sent form is checked for where it came from and for whom it was drawn
before the page's own function sees it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sallyport.control.external import CALLBACK
from sallyport.control.services import Services
from sallyport.vocab.errors import Refused
from sallyport.web import (
    account,
    calls,
    console,
    documentation,
    environment,
    external,
    integration_ends,
    integrations,
    sessions,
    signin,
    trying,
)
from sallyport.web.admin import routes as admin
from sallyport.web.assets import static
from sallyport.web.csrf import TOKEN_FIELD, require_same_origin
from sallyport.web.errors import refusal_page
from sallyport.web.forms import one, read_form
from sallyport.web.operator import routes as operator
from sallyport.web.visit import Visit, visit_of

Shown = Callable[[Visit], Awaitable[Response]]
Sent = Callable[[Visit, FormData], Awaitable[Response]]

_ENVIRONMENT = "/console/apps/{app_id}/environments/{environment}"

OPEN_PAGES: tuple[tuple[str, Shown], ...] = (
    ("/", signin.start),
    ("/login", signin.show_sign_in),
    ("/setup", signin.show_setup),
    (external.DEPART, external.depart),
    (CALLBACK, external.arrive),
)
OPEN_FORMS: tuple[tuple[str, Sent], ...] = (
    ("/login", signin.sign_in),
    ("/logout", signin.sign_out),
    ("/setup", signin.set_up),
)
PAGES: tuple[tuple[str, Shown], ...] = (
    ("/account", account.show),
    ("/account/grants", account.show_grants),
    ("/account/sessions", sessions.show),
    (external.LINK, external.link),
    ("/console", console.show_apps),
    ("/console/apps/{app_id}", console.show_one_app),
    (_ENVIRONMENT, environment.show),
    (_ENVIRONMENT + "/versions", environment.show_versions),
    (_ENVIRONMENT + "/versions/{version}/roll-back", environment.ask_roll_back),
    (_ENVIRONMENT + "/variables", environment.show_variables),
    (_ENVIRONMENT + "/variables/{key}/unset", environment.ask_unset),
    (_ENVIRONMENT + "/calls", calls.show_calls),
    (_ENVIRONMENT + "/calls/stream", calls.stream_calls),
    (_ENVIRONMENT + "/calls/{decision_id}", calls.show_call),
    (_ENVIRONMENT + "/logs", calls.show_logs),
    (_ENVIRONMENT + "/logs/stream", calls.stream_logs),
    ("/console/integrations", integrations.show_list),
    ("/console/integrations/new", integrations.show_new),
    ("/console/integrations/{client_id}", integrations.show_one),
    ("/console/integrations/{client_id}/links", integrations.show_link),
    ("/console/integrations/{client_id}/unlink", integration_ends.ask_unlink),
    ("/console/integrations/{client_id}/secrets/end-previous", integration_ends.ask_end_previous),
    ("/console/integrations/{client_id}/revoke", integration_ends.ask_revoke),
    ("/console/integrations/{client_id}/try", trying.show),
    ("/console/try", trying.come_back),
    ("/console/try/decisions/{decision_id}", trying.show_gates),
    *admin.PAGES,
    *operator.PAGES,
    ("/docs/apps/{app_id}", documentation.show),
    ("/docs/apps/{app_id}/openapi.json", documentation.show_openapi),
)
FORMS: tuple[tuple[str, Sent], ...] = (
    ("/account/grants/{grant_id}/end", account.end_grant),
    ("/account/sessions/end-others", sessions.end_others),
    ("/account/sessions/{session_id}/end", sessions.end),
    ("/account/password", sessions.change_password),
    ("/account/api-tokens", account.create_api_token),
    ("/account/api-tokens/{token_id}/revoke", account.revoke_api_token),
    ("/console/apps", console.register),
    ("/console/apps/{app_id}/environments", console.add_environment),
    (_ENVIRONMENT + "/versions/{version}/roll-back", environment.do_roll_back),
    (_ENVIRONMENT + "/variables", environment.set_one),
    (_ENVIRONMENT + "/variables/{key}/unset", environment.unset),
    ("/console/integrations/new", integrations.create),
    ("/console/integrations/{client_id}", integrations.change),
    ("/console/integrations/{client_id}/links", integrations.link),
    ("/console/integrations/{client_id}/unlink", integration_ends.unlink),
    ("/console/integrations/{client_id}/try", trying.begin),
    ("/console/integrations/{client_id}/try/callback", trying.register_callback),
    ("/console/integrations/{client_id}/secrets", integrations.rotate),
    ("/console/integrations/{client_id}/secrets/end-previous", integration_ends.end_previous),
    ("/console/integrations/{client_id}/revoke", integration_ends.revoke),
    *admin.FORMS,
    *operator.FORMS,
)


def build_pages(services: Services) -> list[BaseRoute]:
    """The routes of all pages and of their style sheet."""
    return [
        Route("/static/{name}", static),
        *(_route(services, path, shown=page) for path, page in OPEN_PAGES),
        *(_route(services, path, sent=form) for path, form in OPEN_FORMS),
        *(_route(services, path, shown=page, signed_in=True) for path, page in PAGES),
        *(_route(services, path, sent=form, signed_in=True) for path, form in FORMS),
    ]


def _route(
    services: Services,
    path: str,
    *,
    shown: Shown | None = None,
    sent: Sent | None = None,
    signed_in: bool = False,
) -> Route:
    if sent is not None:
        answer: Shown = partial(_accept, sent)
    else:
        assert shown is not None
        answer = shown

    async def endpoint(request: Request) -> Response:
        visit = await visit_of(request, services)
        try:
            if signed_in:
                visit.require_account()
            return await answer(visit)
        except Refused as refused:
            return refusal_page(visit, refused)

    return Route(path, endpoint, methods=["GET" if sent is None else "POST"])


async def _accept(sent: Sent, visit: Visit) -> Response:
    # Whose page sent it is known from headers alone, before a byte of the body is read.
    require_same_origin(visit.request, visit.scheme)
    form = await read_form(visit.request)
    visit.require_own_form(visit.request.url.path, one(form, TOKEN_FIELD))
    return await sent(visit, form)
