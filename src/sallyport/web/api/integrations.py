"""Integrations (OAuth clients): `/integrations`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from sallyport.control import integrations
from sallyport.control.integrations import IntegrationView, LinkRequest, LinkView
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body
from sallyport.web.api.shapes import Jwks, key_items

router = APIRouter(tags=["integrations"])

MOST_SCOPES = 20


class Link(Body):
    """`site` is a cloud id or a host, `environment` a key.

    `optional_scopes` are those of the other two that an account may leave out when it consents.
    `note` is for the site's admins, where they approve links.
    """

    site: str
    app_id: str
    environment: str
    scopes: list[str] = Field(max_length=MOST_SCOPES)
    product_scopes: list[str] = Field(default_factory=list, max_length=MOST_SCOPES)
    optional_scopes: list[str] = Field(default_factory=list, max_length=2 * MOST_SCOPES)
    note: str = ""

    def request(self) -> LinkRequest:
        return LinkRequest(
            self.site,
            self.app_id,
            self.environment,
            tuple(self.scopes),
            tuple(self.product_scopes),
            tuple(self.optional_scopes),
            self.note,
        )


class NewIntegration(Body):
    """`public`: a client that can keep no secret. `forge_compatible`: one that sends no PKCE.

    `require_par`: one that pushes its authorization requests (RFC 9126). `require_dpop`: one that
    gets no bearer tokens (RFC 9449). `jwks`: keys by which it signs in (RFC 7523), for a secret.
    """

    name: str
    redirect_uris: list[str]
    link: Link
    public: bool = False
    forge_compatible: bool = False
    require_par: bool = False
    require_dpop: bool = False
    jwks: Jwks | None = None


class Changes(Body):
    name: str | None = None
    redirect_uris: list[str] | None = None
    require_par: bool | None = None
    require_dpop: bool | None = None


@router.post("/integrations", status_code=201)
async def create(body: NewIntegration, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Make an integration. `client_secret` is told in this answer alone; public ones have none."""
    made, secret = await integrations.create_integration(
        services,
        actor,
        body.name,
        body.redirect_uris,
        body.link.request(),
        public=body.public,
        forge_compatible=body.forge_compatible,
        require_par=body.require_par,
        require_dpop=body.require_dpop,
        jwks=None if body.jwks is None else body.jwks.model_dump(),
    )
    return describe(made) if secret is None else {**describe(made), "client_secret": secret}


@router.get("/integrations")
async def list_mine(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The integrations that you made."""
    found = await integrations.list_integrations(services, actor)
    return {"items": [describe(each) for each in found]}


@router.get("/admin/sites/{site}/integrations")
async def list_of_site(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The integrations that are linked to apps on a site, for its admins."""
    found = await integrations.integrations_of_site(services, actor, site)
    return {"items": [describe(each) for each in found]}


@router.get("/integrations/{client_id}")
async def read(client_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One integration, for its maker or an admin of a linked site."""
    return describe(await integrations.show_integration(services, actor, client_id))


@router.patch("/integrations/{client_id}")
async def change(
    client_id: str, body: Changes, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Another name, other callback URLs, other rules."""
    changed = await integrations.change_integration(
        services,
        actor,
        client_id,
        name=body.name,
        redirect_uris=body.redirect_uris,
        require_par=body.require_par,
        require_dpop=body.require_dpop,
    )
    return describe(changed)


@router.delete("/integrations/{client_id}", status_code=204)
async def end(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Revoke an integration with every consent to it."""
    await integrations.end_integration(services, actor, client_id)


@router.put("/integrations/{client_id}/links")
async def link(
    client_id: str, body: Link, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Link an integration to an installed app, or change the link's scopes."""
    linked = await integrations.link_integration(services, actor, client_id, body.request())
    return describe(linked)


@router.delete("/integrations/{client_id}/links", status_code=204)
async def unlink(
    client_id: str,
    site: str,
    app_id: str,
    environment: str,
    actor: ActorDep,
    services: ServicesDep,
) -> None:
    """Remove a link; calls there are refused from now on."""
    await integrations.unlink_integration(services, actor, client_id, site, app_id, environment)


@router.post("/integrations/{client_id}/secrets", status_code=201)
async def rotate(client_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """A new secret, told in this answer alone; the previous one stays valid until it is ended."""
    return {"client_secret": await integrations.rotate_secret(services, actor, client_id)}


@router.put("/integrations/{client_id}/keys")
async def put_keys(
    client_id: str, body: Jwks, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Have it sign in by these public keys alone (RFC 7523); its secrets end."""
    changed = await integrations.set_keys(services, actor, client_id, body.model_dump())
    return describe(changed)


@router.delete("/integrations/{client_id}/keys", status_code=204)
async def delete_keys(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take the keys away; it signs in no more until it is given a secret."""
    await integrations.set_keys(services, actor, client_id, None)


@router.delete("/integrations/{client_id}/secrets/previous", status_code=204)
async def end_previous(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End the older of two live secrets."""
    await integrations.end_previous_secret(services, actor, client_id)


def describe(view: IntegrationView) -> dict[str, Any]:
    """An integration as the API shows it; never a secret."""
    integration = view.integration
    return {
        "client_id": integration.client_id,
        "name": integration.name,
        "owner": None
        if view.owner is None
        else {"account_id": view.owner.id, "email": view.owner.email, "name": view.owner.name},
        "redirect_uris": list(integration.redirect_uris),
        "kind": integration.kind.value,
        "forge_compatible": integration.forge_compatible,
        "require_par": integration.require_par,
        "require_dpop": integration.require_dpop,
        "verified": integration.verified_at is not None,
        "created_at": iso(integration.created_at),
        "live_secrets": view.live_secrets,
        "keys": key_items(view.keys),
        "links": [_link(each) for each in view.links],
    }


def _link(view: LinkView) -> dict[str, Any]:
    return {
        "site_id": view.site.id,
        "host": view.site.host,
        "app_id": view.app.id,
        "app_name": view.app.name,
        "environment": view.environment.key,
        "environment_id": view.environment.id,
        "scopes": sorted(view.link.scopes),
        "product_scopes": sorted(view.link.product_scopes),
        "optional_scopes": sorted(view.link.optional),
        "approvals": [
            {
                "scope": each.scope,
                "state": each.state.value,
                "reason": each.reason,
                "at": iso(each.at),
            }
            for each in view.standings
        ],
        "authorization_url": view.authorization_url,
        "base_urls": list(view.base_urls),
    }
