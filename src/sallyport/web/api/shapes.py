"""How customers and people look in answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sallyport.control.services import Services
from sallyport.model.access import ApiToken, ClientKey
from sallyport.model.directory import Account, Organization, Product, Session, Site, SiteRole
from sallyport.vocab.clock import iso
from sallyport.web.api.bodies import Body


class Jwks(Body):
    """A JWK Set (RFC 7517 section 5) of public keys; members that are not known are left out."""

    keys: list[dict[str, Any]]


def key_items(keys: Iterable[ClientKey]) -> list[dict[str, Any]]:
    """The keys by which a client signs in, by name alone."""
    return [{"kid": each.kid, "alg": each.algorithm} for each in keys]


def person(account: Account) -> dict[str, Any]:
    """An account as others see it."""
    return {"account_id": account.id, "email": account.email, "name": account.name}


def account_item(account: Account) -> dict[str, Any]:
    """An account as operators see it."""
    return {
        **person(account),
        "operator": account.operator,
        "active": account.active,
        "created_at": iso(account.created_at),
    }


def api_token(token: ApiToken) -> dict[str, Any]:
    return {"id": token.id, "label": token.label, "created_at": iso(token.created_at)}


def session(session: Session) -> dict[str, Any]:
    """A browser that is signed in, as its account sees it."""
    return {
        "id": session.id,
        "browser": session.agent,
        "address": session.address,
        "method": session.method,
        "started_at": iso(session.started_at),
        "last_used_at": iso(session.last_used_at),
    }


def organization_item(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "name": organization.name,
        "created_at": iso(organization.created_at),
    }


def product_item(product: Product) -> dict[str, Any]:
    return {"key": product.key, "name": product.name, "upstream": product.upstream}


def site_item(services: Services, site: Site) -> dict[str, Any]:
    return {
        "site_id": site.id,
        "host": site.host,
        "name": site.name,
        "organization_id": site.organization_id,
        "products": list(site.products),
        "site_url": services.site_url(site),
        "created_at": iso(site.created_at),
    }


def site_with_role(services: Services, site: Site, role: SiteRole) -> dict[str, Any]:
    """A site as one who belongs to it sees it."""
    return {**site_item(services, site), "role": role.value}
