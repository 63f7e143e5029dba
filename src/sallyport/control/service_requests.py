"""Service accounts that members of a site ask for; its admins answer in the queue of approvals.

Who asked is told the state and the reason, and gets the first secret, once; no admin sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from sallyport.control.links import LinkRequest, check_link, offered_product_scopes
from sallyport.control.names import clean_name, clean_words
from sallyport.control.places import site_of_member
from sallyport.control.services import Services
from sallyport.model.approval import ApprovalState
from sallyport.model.directory import Actor, Site
from sallyport.model.registry import App, Environment
from sallyport.store import apps, directory, environments, service_requests
from sallyport.store.approvals import pending_of_account
from sallyport.store.engine import Reader, Tx
from sallyport.store.integrations import revoke_integration
from sallyport.store.service_requests import ServiceRequest
from sallyport.vocab import ids
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "RequestState",
    "ServiceRequestView",
    "ask_service_account",
    "list_service_requests",
    "take_secret",
    "withdraw_service_request",
]

MOST_WAITING = 20
"""Requests of one account that wait on one site."""


class RequestState(StrEnum):
    """How a request stands, as who asked is told."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    ENDED = "ended"
    """It was approved, and an admin of the site ended it later."""


@dataclass(frozen=True, slots=True)
class ServiceRequestView:
    """A request as who asked sees it; `secret_waits`: its secret can be taken now."""

    request: ServiceRequest
    site: Site
    app: App
    environment: Environment

    @property
    def state(self) -> RequestState:
        approval = self.request.approval
        if approval.state is ApprovalState.PENDING:
            return RequestState.PENDING
        if not approval.approved:
            return RequestState.REFUSED
        return RequestState.ENDED if self.request.ended else RequestState.APPROVED

    @property
    def secret_waits(self) -> bool:
        return self.state is RequestState.APPROVED and not self.request.told


async def ask_service_account(
    services: Services, actor: Actor, name: str, wanted: LinkRequest
) -> ServiceRequestView:
    """Ask a site's admins for a service account; by a member of the site. Raises `Refused`.

    Without product scopes it asks for those of every product that the app is installed on.
    """
    cleaned = clean_name(name, "service account's name")
    note = clean_words(wanted.note, "note")

    async def work(tx: Tx) -> ServiceRequestView:
        site = await site_of_member(tx, actor, wanted.site)
        if actor.account_id is None:
            raise Refused(Reason.NOT_ALLOWED, "A service account is asked for by an account.")
        if await pending_of_account(tx, site.id, actor.account_id) >= MOST_WAITING:
            raise Refused(
                Reason.CONFLICT,
                f"{MOST_WAITING} of your requests wait for the admins of {site.name} already.",
                fix="Wait for their answers, or withdraw a request.",
            )
        products = wanted.product_scopes or await offered_product_scopes(
            tx, actor, wanted.site, wanted.app_id, wanted.environment
        )
        link = await check_link(tx, actor, replace(wanted, product_scopes=products))
        client_id = await service_requests.ask_service_account(
            tx, actor, actor.account_id, cleaned, link, note
        )
        return await _mine(tx, actor, client_id)

    return await services.store.write(work)


async def list_service_requests(services: Services, actor: Actor) -> tuple[ServiceRequestView, ...]:
    """What the actor asked for and how it stands, newest first."""

    async def ask(reader: Reader) -> tuple[ServiceRequestView, ...]:
        return await _all(reader, actor)

    return await services.store.read(ask)


async def withdraw_service_request(services: Services, actor: Actor, client_id: str) -> None:
    """Take a request back while it waits; by who asked. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        found = await _mine(tx, actor, client_id)
        if found.state is not RequestState.PENDING:
            raise Refused(
                Reason.CONFLICT,
                "The request waits no more: it was answered.",
                fix="An admin of the site ends a service account that is not needed.",
            )
        await revoke_integration(tx, actor, client_id)

    await services.store.write(work)


async def take_secret(
    services: Services, actor: Actor, client_id: str
) -> tuple[ServiceRequestView, str]:
    """The first secret of an approved service account, told this once; to who asked for it.

    Who left the site meanwhile gets none. Raises `Refused`.
    """
    secret = ids.new_secret(ids.CLIENT_SECRET)

    async def work(tx: Tx) -> ServiceRequestView:
        found = await _mine(tx, actor, client_id)
        await site_of_member(tx, actor, found.site.id)
        if found.state is not RequestState.APPROVED:
            raise Refused(
                Reason.CONFLICT,
                f"There is no secret to take: the request is {found.state.value}.",
                fix="`sallyport service-accounts requests` shows how your requests stand.",
            )
        if not await service_requests.give_first_secret(tx, actor, client_id, ids.digest(secret)):
            raise Refused(
                Reason.CONFLICT,
                "The secret was told already; it is told once.",
                fix="Ask an admin of the site for a new one (`service-accounts rotate-secret`).",
            )
        return await _mine(tx, actor, client_id)

    return await services.store.write(work), secret


async def _mine(reader: Reader, actor: Actor, client_id: str) -> ServiceRequestView:
    for each in await _all(reader, actor):
        if each.request.approval.client_id == client_id:
            return each
    raise Refused(
        Reason.NOT_FOUND,
        "There is no such request among yours.",
        fix="Check the client id; `sallyport service-accounts requests` shows your requests.",
    )


async def _all(reader: Reader, actor: Actor) -> tuple[ServiceRequestView, ...]:
    if actor.account_id is None:
        return ()
    views = []
    for each in await service_requests.service_requests_of(reader, actor.account_id):
        site = await directory.site_by_id(reader, each.approval.site_id)
        environment = await environments.environment_by_id(reader, each.approval.environment_id)
        app = await apps.app_by_id(reader, environment.app_id) if environment is not None else None
        if site is not None and environment is not None and app is not None:
            views.append(ServiceRequestView(each, site, app, environment))
    return tuple(views)
