"""Every page of the admin console and every form that it takes, with their addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.web.admin import (
    approvals,
    apps,
    audit,
    callers,
    decisions,
    members,
    places,
    service_accounts,
    usage,
)
from sallyport.web.visit import Visit

_SITE = "/admin/sites/{site}"
_APP = f"{_SITE}/apps/{{app_id}}/environments/{{environment}}"
_INTEGRATION = f"{_SITE}/integrations/{{client_id}}"
_MACHINE = f"{_SITE}/service-accounts/{{client_id}}"

PAGES: tuple[tuple[str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("/admin", places.show_places),
    (_SITE, places.show_site),
    (_APP, apps.show_app),
    (f"{_APP}/turn-off", apps.ask_to_turn_off),
    (f"{_APP}/uninstall", apps.ask_to_uninstall),
    (f"{_SITE}/approvals", approvals.show_queue),
    (f"{_SITE}/integrations", callers.show_list),
    (_INTEGRATION, callers.show_one),
    (f"{_INTEGRATION}/end", callers.ask_to_end),
    (f"{_INTEGRATION}/unlink", callers.ask_to_unlink),
    (f"{_INTEGRATION}/take-back", callers.show_take_back),
    (f"{_SITE}/grants/{{grant_id}}/end", callers.ask_to_end_grant),
    (f"{_SITE}/service-accounts", service_accounts.show_list),
    (f"{_SITE}/service-accounts/new", service_accounts.show_new),
    (_MACHINE, service_accounts.show_one),
    (f"{_MACHINE}/end", service_accounts.ask_to_end),
    (f"{_SITE}/members", members.show_members),
    (f"{_SITE}/members/{{account}}/remove", members.ask_to_remove),
    (f"{_SITE}/usage", usage.show_usage),
    (f"{_SITE}/decisions", decisions.show_list),
    (f"{_SITE}/decisions/{{decision_id}}", decisions.show_one),
    (f"{_SITE}/audit", audit.show_audit),
    (f"{_SITE}/audit/export", audit.export),
)
FORMS: tuple[tuple[str, Callable[[Visit, FormData], Awaitable[Response]]], ...] = (
    (f"{_SITE}/installations", places.install),
    (f"{_APP}/rest-apis", apps.turn),
    (f"{_APP}/upgrade", apps.upgrade),
    (f"{_APP}/uninstall", apps.uninstall),
    (f"{_SITE}/approvals", approvals.set_rule),
    (f"{_SITE}/approvals/{{approval_id}}", approvals.answer),
    (f"{_INTEGRATION}/end", callers.end),
    (f"{_INTEGRATION}/unlink", callers.unlink),
    (f"{_INTEGRATION}/take-back", callers.take_back),
    (f"{_SITE}/grants/{{grant_id}}/end", callers.end_grant),
    (f"{_SITE}/service-accounts", service_accounts.create),
    (f"{_MACHINE}/secrets", service_accounts.rotate),
    (f"{_MACHINE}/secrets/end-previous", service_accounts.end_previous),
    (f"{_MACHINE}/end", service_accounts.end),
    (f"{_SITE}/members", members.set_role),
    (f"{_SITE}/members/{{account}}/remove", members.remove),
)
