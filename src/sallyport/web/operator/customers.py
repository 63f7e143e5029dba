"""Organizations and their sites, made by the operator."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control import operator
from sallyport.model.directory import SiteRole
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.drawing import draw
from sallyport.web.flash import say
from sallyport.web.forms import many, one
from sallyport.web.operator.platform import HOME, TABS
from sallyport.web.visit import Visit

ADDRESS = f"{HOME}/customers"
_EMPTY: Mapping[str, str] = {}


async def show_customers(visit: Visit) -> Response:
    return await _page(visit)


async def create_organization(visit: Visit, form: FormData) -> Response:
    name = one(form, "name")
    try:
        made = await operator.create_organization(visit.services, visit.actor, name)
    except Refused as refused:
        return await _refused(visit, refused, "organization", {"name": name})
    return say(visit, ADDRESS, f"{made.name} is made. Give it a site.")


async def create_site(visit: Visit, form: FormData) -> Response:
    typed = {key: one(form, key) for key in ("organization", "host", "site_name")}
    products = many(form, "product")
    try:
        made = await operator.create_site(
            visit.services,
            visit.actor,
            typed["organization"],
            typed["host"],
            typed["site_name"],
            products,
        )
    except Refused as refused:
        return await _refused(visit, refused, "site", typed, frozenset(products))
    return say(visit, ADDRESS, f"{made.host} is made. Give it an admin.")


async def set_member(visit: Visit, form: FormData) -> Response:
    typed = {key: one(form, key).strip() for key in ("member_site", "account", "role")}
    if typed["role"] not in set(SiteRole):
        raise Refused(Reason.INVALID_INPUT, "The role is member or admin.")
    try:
        person = await operator.set_member(
            visit.services,
            visit.actor,
            typed["member_site"],
            typed["account"],
            SiteRole(typed["role"]),
        )
    except Refused as refused:
        return await _refused(visit, refused, "member", typed)
    part = "an admin" if typed["role"] == SiteRole.ADMIN else "a member"
    return say(visit, ADDRESS, f"{person.name} is {part} of the site now.")


async def _refused(
    visit: Visit,
    refused: Refused,
    part: str,
    typed: Mapping[str, str],
    products: frozenset[str] = frozenset(),
) -> Response:
    """The page again; the operator's use-cases refuse to draw it for anybody else."""
    field = refused.members.get("field")
    if part == "site" and field == "name":
        refused.members["field"] = "site_name"
    if part == "member" and field in (None, "email"):
        refused.members["field"] = "account"
    return await _page(visit, part, typed, products, refused)


async def _page(
    visit: Visit,
    part: str = "",
    typed: Mapping[str, str] = _EMPTY,
    products: frozenset[str] = frozenset(),
    problem: Refused | None = None,
) -> Response:
    services, actor = visit.services, visit.actor
    organizations = await operator.list_organizations(services, actor)
    sites = await operator.list_sites(services, actor)
    return draw(
        visit,
        "operator/customers.html",
        status=problem.reason.status if problem is not None else 200,
        tabs=TABS,
        organizations=[
            (each, [site for site in sites if site.organization_id == each.id])
            for each in organizations
        ],
        sites=[(each.id, each.host) for each in sites],
        products=await operator.list_products(services, actor),
        part=part,
        typed={
            **dict.fromkeys(("name", "organization", "host", "site_name", "member_site"), ""),
            "account": "",
            "role": "admin",
            **typed,
        },
        chosen=products,
        problem=problem,
    )
