"""Service accounts: `/admin/sites/{site}/service-accounts`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from sallyport.control import service_accounts
from sallyport.control.links import LinkRequest
from sallyport.control.service_accounts import ServiceAccountView
from sallyport.scopes.grammar import is_custom
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body
from sallyport.web.api.shapes import Jwks, key_items

router = APIRouter(prefix="/admin/sites/{site}/service-accounts", tags=["service accounts"])

MOST_SCOPES = 20


class NewServiceAccount(Body):
    """`environment` is a key. Without `product_scopes` those of the app's products there.

    `jwks`: keys by which it signs in (RFC 7523), for a secret.
    """

    name: str
    app_id: str
    environment: str
    scopes: list[str] = Field(max_length=MOST_SCOPES)
    product_scopes: list[str] = Field(default_factory=list, max_length=MOST_SCOPES)
    jwks: Jwks | None = None


@router.post("", status_code=201)
async def create(
    site: str, body: NewServiceAccount, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Make a service account. `client_secret` is told in this answer alone; none with keys."""
    wanted = LinkRequest(
        site, body.app_id, body.environment, tuple(body.scopes), tuple(body.product_scopes)
    )
    jwks = None if body.jwks is None else body.jwks.model_dump()
    made, secret = await service_accounts.create_service_account(
        services, actor, body.name, wanted, jwks
    )
    return describe(made) if secret is None else {**describe(made), "client_secret": secret}


@router.get("")
async def list_all(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The service accounts of a site, for its admins."""
    found = await service_accounts.list_service_accounts(services, actor, site)
    return {"items": [describe(each) for each in found]}


@router.get("/{client_id}")
async def read(site: str, client_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One service account."""
    return describe(await service_accounts.show_service_account(services, actor, site, client_id))


@router.delete("/{client_id}", status_code=204)
async def end(site: str, client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End a service account; its tokens open nothing from now on."""
    await service_accounts.end_service_account(services, actor, site, client_id)


@router.post("/{client_id}/secrets", status_code=201)
async def rotate(
    site: str, client_id: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """A new secret, told in this answer alone; the previous one stays valid until it is ended."""
    secret = await service_accounts.rotate_secret(services, actor, site, client_id)
    return {"client_secret": secret}


@router.put("/{client_id}/keys")
async def put_keys(
    site: str, client_id: str, body: Jwks, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Have it sign in by these public keys alone (RFC 7523); its secrets end."""
    changed = await service_accounts.set_keys(services, actor, site, client_id, body.model_dump())
    return describe(changed)


@router.delete("/{client_id}/keys", status_code=204)
async def delete_keys(site: str, client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take the keys away; it signs in no more until it is given a secret."""
    await service_accounts.set_keys(services, actor, site, client_id, None)


@router.delete("/{client_id}/secrets/previous", status_code=204)
async def end_previous(site: str, client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End the older of two live secrets."""
    await service_accounts.end_previous_secret(services, actor, site, client_id)


def describe(view: ServiceAccountView) -> dict[str, Any]:
    """A service account as the API shows it; never a secret."""
    grant = view.account.grant
    return {
        "client_id": view.account.client_id,
        "name": view.account.name,
        "account_id": grant.account_id,
        "site_id": grant.site_id,
        "app_id": view.app.id,
        "app_name": view.app.name,
        "environment": view.environment.key,
        "environment_id": view.environment.id,
        "scopes": sorted(each for each in grant.scopes if is_custom(each)),
        "product_scopes": sorted(each for each in grant.scopes if not is_custom(each)),
        "created_at": iso(view.account.created_at),
        "live_secrets": view.live_secrets,
        "keys": key_items(view.keys),
        "base_urls": list(view.base_urls),
    }
