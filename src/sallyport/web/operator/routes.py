"""Every operator page and every form that it takes, with their addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.web.operator import customers, people, platform
from sallyport.web.visit import Visit

PAGES: tuple[tuple[str, Callable[[Visit], Awaitable[Response]]], ...] = (
    ("/operator", platform.show_platform),
    ("/operator/keys/{kid}/retire", platform.ask_to_retire),
    ("/operator/customers", customers.show_customers),
    ("/operator/accounts", people.show_accounts),
    ("/operator/accounts/{account}/deactivate", people.ask_to_deactivate),
)
FORMS: tuple[tuple[str, Callable[[Visit, FormData], Awaitable[Response]]], ...] = (
    ("/operator/keys", platform.rotate),
    ("/operator/keys/{kid}/retire", platform.retire),
    ("/operator/customers/organizations", customers.create_organization),
    ("/operator/customers/sites", customers.create_site),
    ("/operator/customers/members", customers.set_member),
    ("/operator/accounts", people.create),
    ("/operator/accounts/{account}/deactivate", people.deactivate),
    ("/operator/accounts/{account}/change", people.change),
)
