"""Provisioning, for operators: `/operator`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter

from sallyport.control import accounts, operator
from sallyport.control.platform_state import platform_state
from sallyport.model.directory import SiteRole
from sallyport.vocab.clock import iso
from sallyport.web.api import shapes
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/operator", tags=["operator"])


class NewOrganization(Body):
    name: str


class NewProduct(Body):
    key: str
    name: str
    upstream: str | None = None


class ProductChange(Body):
    name: str | None = None
    upstream: str | None = None


class NewSite(Body):
    organization_id: str
    host: str
    name: str
    products: list[str]


class NewAccount(Body):
    email: str
    name: str
    password: str | None = None
    operator: bool = False


class AccountChange(Body):
    active: bool | None = None
    operator: bool | None = None
    password: str | None = None


class NewToken(Body):
    label: str


class Part(Body):
    role: Literal["member", "admin"]


@router.get("/platform")
async def read_platform(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Processes, what they hold, their limits, and how much there is."""
    found = await platform_state(services, actor)
    return {
        "processes": [
            {**asdict(each), "at": iso(each.at), "started_at": iso(each.started_at)}
            for each in found.processes
        ],
        "limits": [asdict(each) for each in found.limits],
        "counts": asdict(found.counts),
    }


@router.get("/organizations")
async def list_organizations(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Every organization."""
    found = await operator.list_organizations(services, actor)
    return {"items": [shapes.organization_item(each) for each in found]}


@router.post("/organizations", status_code=201)
async def create_organization(
    body: NewOrganization, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """A new organization."""
    made = await operator.create_organization(services, actor, body.name)
    return shapes.organization_item(made)


@router.get("/organizations/{organization_id}/admins")
async def list_org_admins(
    organization_id: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The admins of an organization."""
    found = await operator.list_org_admins(services, actor, organization_id)
    return {"items": [shapes.person(each) for each in found]}


@router.put("/organizations/{organization_id}/admins/{account}")
async def set_org_admin(
    organization_id: str, account: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Make an account, by id or email, an admin of the organization and each of its sites."""
    return shapes.person(await operator.set_org_admin(services, actor, organization_id, account))


@router.delete("/organizations/{organization_id}/admins/{account}", status_code=204)
async def end_org_admin(
    organization_id: str, account: str, actor: ActorDep, services: ServicesDep
) -> None:
    """Take the role away."""
    await operator.end_org_admin(services, actor, organization_id, account)


@router.get("/products")
async def list_products(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Every product that sites can run."""
    found = await operator.list_products(services, actor)
    return {"items": [shapes.product_item(each) for each in found]}


@router.post("/products", status_code=201)
async def create_product(
    body: NewProduct, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Declare a product."""
    made = await operator.create_product(services, actor, body.key, body.name, body.upstream)
    return shapes.product_item(made)


@router.patch("/products/{key}")
async def change_product(
    key: str, body: ProductChange, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Change a product's name or the upstream of its APIs; an empty upstream takes it away."""
    changed = await operator.change_product(
        services, actor, key, name=body.name, upstream=body.upstream
    )
    return shapes.product_item(changed)


@router.get("/sites")
async def list_sites(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Every site."""
    found = await operator.list_sites(services, actor)
    return {"items": [shapes.site_item(services, each) for each in found]}


@router.post("/sites", status_code=201)
async def create_site(body: NewSite, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """A new site of an organization."""
    made = await operator.create_site(
        services, actor, body.organization_id, body.host, body.name, body.products
    )
    return shapes.site_item(services, made)


@router.get("/sites/{site}/members")
async def list_members(site: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The members of a site, by cloud id or host."""
    found = await operator.list_members(services, actor, site)
    return {"items": [{**shapes.person(each), "role": role.value} for each, role in found]}


@router.put("/sites/{site}/members/{account}")
async def set_member(
    site: str, account: str, body: Part, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Make an account, by id or email, a member or an admin of the site."""
    role = SiteRole(body.role)
    person = await operator.set_member(services, actor, site, account, role)
    return {**shapes.person(person), "role": role.value}


@router.delete("/sites/{site}/members/{account}", status_code=204)
async def end_member(site: str, account: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take an account off the site."""
    await operator.end_member(services, actor, site, account)


@router.get("/accounts")
async def list_accounts(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Every account."""
    found = await accounts.list_accounts(services, actor)
    return {"items": [shapes.account_item(each) for each in found]}


@router.post("/accounts", status_code=201)
async def create_account(
    body: NewAccount, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """A new account; where no password came, `password` shows the generated one this once."""
    made = await accounts.create_account(
        services, actor, body.email, body.name, password=body.password, operator=body.operator
    )
    shown = {} if made.password is None else {"password": made.password}
    return {**shapes.account_item(made.account), **shown}


@router.patch("/accounts/{account}")
async def change_account(
    account: str, body: AccountChange, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Activate or deactivate, make or unmake an operator, set a password."""
    changed = await accounts.change_account(
        services,
        actor,
        account,
        active=body.active,
        operator=body.operator,
        password=body.password,
    )
    return shapes.account_item(changed)


@router.post("/accounts/{account}/api-tokens", status_code=201)
async def create_token_for(
    account: str, body: NewToken, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """An API token for an account; `token` is shown this once."""
    made = await accounts.create_token_for(services, actor, account, body.label)
    return {**shapes.api_token(made.token), "token": made.secret}
