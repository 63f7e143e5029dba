"""Names for the ids that figures and records hold."""

from __future__ import annotations

from sallyport.control.integrations import integrations_of_site
from sallyport.control.service_accounts import list_service_accounts
from sallyport.web.visit import Visit


async def callers_of_site(visit: Visit, site: str) -> dict[str, str]:
    """The names of the live integrations and service accounts of a site, by client id.

    Raises `Refused` for who is no admin of it.
    """
    services, actor = visit.services, visit.actor
    names = {
        each.integration.client_id: each.integration.name
        for each in await integrations_of_site(services, actor, site)
    }
    for each in await list_service_accounts(services, actor, site):
        names[each.account.client_id] = each.account.name
    return names
