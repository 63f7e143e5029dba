"""Service accounts that members ask for: `/service-accounts/requests`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from sallyport.control import service_requests
from sallyport.control.links import LinkRequest
from sallyport.control.service_requests import ServiceRequestView
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/service-accounts/requests", tags=["service accounts"])

MOST_SCOPES = 20


class NewRequest(Body):
    """`environment` is a key. Without `product_scopes` those of the app's products there."""

    name: str
    site: str
    app_id: str
    environment: str
    scopes: list[str] = Field(max_length=MOST_SCOPES)
    product_scopes: list[str] = Field(default_factory=list, max_length=MOST_SCOPES)
    note: str = ""


@router.post("", status_code=201)
async def ask(body: NewRequest, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Ask the site's admins for a service account; by a member. It waits in their approvals."""
    wanted = LinkRequest(
        body.site,
        body.app_id,
        body.environment,
        tuple(body.scopes),
        tuple(body.product_scopes),
        note=body.note,
    )
    return describe(await service_requests.ask_service_account(services, actor, body.name, wanted))


@router.get("")
async def list_mine(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """What you asked for and how it stands."""
    found = await service_requests.list_service_requests(services, actor)
    return {"items": [describe(each) for each in found]}


@router.delete("/{client_id}", status_code=204)
async def withdraw(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take a request back while it waits."""
    await service_requests.withdraw_service_request(services, actor, client_id)


@router.post("/{client_id}/secret", status_code=201)
async def take_secret(client_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The secret of an approved service account, told in this answer alone, to who asked for it."""
    found, secret = await service_requests.take_secret(services, actor, client_id)
    return {**describe(found), "client_secret": secret}


def describe(view: ServiceRequestView) -> dict[str, Any]:
    """A request as who asked sees it; never a secret."""
    each = view.request.approval
    return {
        "client_id": each.client_id,
        "name": view.request.name,
        "state": view.state.value,
        "site_id": view.site.id,
        "site_host": view.site.host,
        "app_id": view.app.id,
        "app_name": view.app.name,
        "environment": view.environment.key,
        "scopes": [
            {"scope": scope, "state": each.state_of(scope).value} for scope in sorted(each.asked)
        ],
        "note": each.note,
        "asked_at": iso(each.asked_at),
        "reason": each.reason,
        "decided_at": iso(each.decided_at) if each.decided_at is not None else None,
        "secret_waits": view.secret_waits,
    }
