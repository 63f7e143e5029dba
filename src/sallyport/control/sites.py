"""Sites as those who belong to them see them, and the accounts on them."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.places import site_of_member
from sallyport.control.services import Services
from sallyport.model.directory import Actor, Organization, Site, SiteRole
from sallyport.store import directory
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused


async def my_sites(services: Services, actor: Actor) -> tuple[tuple[Site, SiteRole], ...]:
    """The sites that the actor belongs to, each with its role there, by host."""
    if actor.account_id is None:
        sites = await services.store.read(directory.all_sites)
        return tuple((site, SiteRole.ADMIN) for site in sites)
    return await services.store.read(directory.sites_of, actor.account_id)


@dataclass(frozen=True, slots=True)
class MyOrganization:
    """An organization and those of its sites that an account belongs to, each with its role."""

    organization: Organization
    administered: bool
    sites: tuple[tuple[Site, SiteRole], ...]


async def my_organizations(services: Services, actor: Actor) -> tuple[MyOrganization, ...]:
    """The organizations that the actor is an admin of or has a site of, by name."""

    async def ask(reader: Reader) -> tuple[MyOrganization, ...]:
        if actor.account_id is None:
            return ()
        sites = await directory.sites_of(reader, actor.account_id)
        return tuple(
            MyOrganization(
                each,
                administered,
                tuple((site, role) for site, role in sites if site.organization_id == each.id),
            )
            for each, administered in await directory.organizations_of(reader, actor.account_id)
        )

    return await services.store.read(ask)


async def find_site(services: Services, actor: Actor, site: str) -> Site:
    """The site with this cloud id or host, where the actor belongs to it. Raises `Refused`."""
    return await services.store.read(site_of_member, actor, site)


async def my_site(services: Services, actor: Actor, site: str) -> tuple[Site, SiteRole]:
    """One of the actor's sites with the role there. Raises `Refused`."""
    found = await find_site(services, actor, site)
    for each, role in await my_sites(services, actor):
        if each.id == found.id:
            return each, role
    raise Refused(Reason.NOT_FOUND, "There is no such site among yours.")
