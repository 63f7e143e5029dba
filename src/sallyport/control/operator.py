"""What operators provision: organizations, products, sites, and who belongs to them."""

from __future__ import annotations

from collections.abc import Sequence

from sallyport.control.accounts import any_account_named
from sallyport.control.authority import require_operator
from sallyport.control.names import (
    check_product_key,
    check_upstream,
    clean_host,
    clean_name,
    is_host,
)
from sallyport.control.services import Services
from sallyport.model.directory import Account, Actor, Organization, Product, Site, SiteRole
from sallyport.store import directory
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import is_uuid

# ---- organizations and products


async def list_organizations(services: Services, actor: Actor) -> tuple[Organization, ...]:
    """Every organization, by name. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Organization, ...]:
        await require_operator(reader, actor)
        return await directory.all_organizations(reader)

    return await services.store.read(ask)


async def create_organization(services: Services, actor: Actor, name: str) -> Organization:
    """A new organization. Raises `Refused`."""
    name = clean_name(name, "organization's name")

    async def add(tx: Tx) -> Organization:
        await require_operator(tx, actor)
        made = await directory.add_organization(tx, name)
        tx.audit(Event.ORGANIZATION_CREATED, actor, subject=made.id, name=name)
        return made

    return await services.store.write(add)


async def list_products(services: Services, actor: Actor) -> tuple[Product, ...]:
    """Every product that sites can run, by key. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Product, ...]:
        await require_operator(reader, actor)
        return await directory.all_products(reader)

    return await services.store.read(ask)


async def create_product(
    services: Services, actor: Actor, key: str, name: str, upstream: str | None = None
) -> Product:
    """Declare a product; its key stands in URLs and in its product scope. Raises `Refused`.

    `upstream` is the URL of the APIs that app code may call, with the platform's token.
    """
    key, name = check_product_key(key), clean_name(name, "product's name")
    upstream = check_upstream(upstream)

    async def add(tx: Tx) -> Product:
        await require_operator(tx, actor)
        made = await directory.add_product(tx, key, name, upstream)
        if made is None:
            raise Refused(
                Reason.ALREADY_EXISTS, f"The product {key} exists already.", fix="Use another key."
            )
        tx.audit(Event.PRODUCT_DECLARED, actor, subject=key, name=name, upstream=upstream)
        return made

    return await services.store.write(add)


async def change_product(
    services: Services, actor: Actor, key: str, *, name: str | None, upstream: str | None
) -> Product:
    """Change a product's name or upstream; None leaves it, an empty upstream takes it away.

    Calls that begin afterwards go to the new upstream. Raises `Refused`.
    """
    if name is not None:
        name = clean_name(name, "product's name")
    given = check_upstream(upstream)

    async def change(tx: Tx) -> Product:
        await require_operator(tx, actor)
        found = await directory.product_by_key(tx, key)
        if found is None:
            raise Refused(
                Reason.NOT_FOUND, "There is no such product.", fix="Check the product's key."
            )
        changed = Product(
            key,
            found.name if name is None else name,
            found.upstream if upstream is None else given,
        )
        await directory.set_product(tx, changed)
        tx.audit(
            Event.PRODUCT_CHANGED, actor, subject=key, name=changed.name, upstream=changed.upstream
        )
        return changed

    return await services.store.write(change)


# ---- sites


async def list_sites(services: Services, actor: Actor) -> tuple[Site, ...]:
    """Every site, by host. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Site, ...]:
        await require_operator(reader, actor)
        return await directory.all_sites(reader)

    return await services.store.read(ask)


async def create_site(
    services: Services,
    actor: Actor,
    organization_id: str,
    host: str,
    name: str,
    products: Sequence[str],
) -> Site:
    """A new site of an organization that runs these declared products. Raises `Refused`."""
    host, name = clean_host(host), clean_name(name, "site's name")
    if not products:
        raise Refused(
            Reason.INVALID_INPUT,
            "The site runs no product.",
            fix="Give at least one product; the operator's list says which there are.",
        )

    async def add(tx: Tx) -> Site:
        await require_operator(tx, actor)
        organization = await _organization(tx, organization_id)
        await _require_declared(tx, products)
        made = await directory.add_site(tx, organization.id, host, name, products)
        if made is None:
            raise Refused(
                Reason.ALREADY_EXISTS,
                f"The host {host} belongs to a site already.",
                fix="Give another host.",
            )
        tx.audit(Event.SITE_CREATED, actor, site_id=made.id, subject=made.id, host=host)
        return made

    return await services.store.write(add)


async def site_named(reader: Reader, site: str) -> Site:
    """Any site, by cloud id or host. Raises `Refused`."""
    if is_uuid(site):
        found = await directory.site_by_id(reader, site)
    else:
        host = site.lower()
        found = await directory.site_by_host(reader, host) if is_host(host) else None
    if found is None:
        raise Refused(
            Reason.NOT_FOUND, "There is no such site.", fix="Check the cloud id or the host."
        )
    return found


# ---- members and admins


async def list_members(
    services: Services, actor: Actor, site: str
) -> tuple[tuple[Account, SiteRole], ...]:
    """The members of a site with their roles, by email. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[tuple[Account, SiteRole], ...]:
        await require_operator(reader, actor)
        found = await site_named(reader, site)
        return await directory.members_of(reader, found.id)

    return await services.store.read(ask)


async def set_member(
    services: Services, actor: Actor, site: str, account: str, role: SiteRole
) -> Account:
    """Make an account, by id or email, a member or an admin of a site. Raises `Refused`."""

    async def change(tx: Tx) -> Account:
        await require_operator(tx, actor)
        place, person = await site_named(tx, site), await any_account_named(tx, account)
        await directory.set_membership(tx, person.id, place.id, role)
        tx.audit(Event.MEMBERSHIP_SET, actor, site_id=place.id, subject=person.id, role=role.value)
        return person

    return await services.store.write(change)


async def end_member(services: Services, actor: Actor, site: str, account: str) -> None:
    """Take an account off a site; its calls there are refused from then on. Raises `Refused`."""

    async def change(tx: Tx) -> None:
        await require_operator(tx, actor)
        place, person = await site_named(tx, site), await any_account_named(tx, account)
        if not await directory.end_membership(tx, person.id, place.id):
            raise Refused(Reason.NOT_FOUND, "The account is no member of this site.")
        tx.audit(Event.MEMBERSHIP_ENDED, actor, site_id=place.id, subject=person.id)

    await services.store.write(change)


async def list_org_admins(
    services: Services, actor: Actor, organization_id: str
) -> tuple[Account, ...]:
    """The admins of an organization, by email. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[Account, ...]:
        await require_operator(reader, actor)
        organization = await _organization(reader, organization_id)
        return await directory.org_admins_of(reader, organization.id)

    return await services.store.read(ask)


async def set_org_admin(
    services: Services, actor: Actor, organization_id: str, account: str
) -> Account:
    """Make an account an admin of an organization, so of each of its sites. Raises `Refused`."""

    async def change(tx: Tx) -> Account:
        await require_operator(tx, actor)
        organization = await _organization(tx, organization_id)
        person = await any_account_named(tx, account)
        if await directory.set_org_admin(tx, person.id, organization.id):
            tx.audit(Event.ORG_ADMIN_SET, actor, subject=person.id, organization_id=organization.id)
        return person

    return await services.store.write(change)


async def end_org_admin(
    services: Services, actor: Actor, organization_id: str, account: str
) -> None:
    """Take an account's role on an organization away. Raises `Refused`."""

    async def change(tx: Tx) -> None:
        await require_operator(tx, actor)
        organization = await _organization(tx, organization_id)
        person = await any_account_named(tx, account)
        if not await directory.end_org_admin(tx, person.id, organization.id):
            raise Refused(Reason.NOT_FOUND, "The account is no admin of this organization.")
        tx.audit(Event.ORG_ADMIN_ENDED, actor, subject=person.id, organization_id=organization.id)

    await services.store.write(change)


async def _organization(reader: Reader, organization_id: str) -> Organization:
    found = (
        await directory.organization_by_id(reader, organization_id)
        if is_uuid(organization_id)
        else None
    )
    if found is None:
        raise Refused(
            Reason.NOT_FOUND, "There is no such organization.", fix="Check the organization's id."
        )
    return found


async def _require_declared(reader: Reader, products: Sequence[str]) -> None:
    declared = {each.key for each in await directory.all_products(reader)}
    missing = sorted(set(products) - declared)
    if missing:
        raise Refused(
            Reason.INVALID_INPUT,
            f"These products are not declared: {', '.join(missing)}.",
            fix=f"Declare them first, or use one of {', '.join(sorted(declared))}.",
        )
