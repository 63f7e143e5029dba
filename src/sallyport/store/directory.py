"""Customers: organizations, products, sites, who is a member or an admin where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from sallyport.model.directory import Account, Organization, Product, Site, SiteRole
from sallyport.store import schema
from sallyport.store.accounts import PERSON, account_columns, account_of_row
from sallyport.store.changes import Kind
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Reader, Tx
from sallyport.store.locks import hold
from sallyport.store.prepared import Prepared
from sallyport.vocab.ids import new_id

_organization, _product = schema.organization.c, schema.product.c
_site, _site_product = schema.site.c, schema.site_product.c
_membership, _org_admin = schema.membership.c, schema.organization_admin.c

# ---- organizations and products


async def add_organization(tx: Tx, name: str) -> Organization:
    """A new organization; names need not differ."""
    organization = Organization(new_id(), name, tx.now)
    await tx.run(
        insert(schema.organization).values(
            id=organization.id, name=name, created_at=organization.created_at
        )
    )
    return organization


async def organization_by_id(reader: Reader, organization_id: str) -> Organization | None:
    row = await reader.first(select(schema.organization).where(_organization.id == organization_id))
    return Organization(row.id, row.name, row.created_at) if row is not None else None


async def all_organizations(reader: Reader) -> tuple[Organization, ...]:
    rows = await reader.all(
        select(schema.organization).order_by(_organization.name, _organization.id)
    )
    return tuple(Organization(row.id, row.name, row.created_at) for row in rows)


async def add_product(tx: Tx, key: str, name: str, upstream: str | None = None) -> Product | None:
    """Declare a product; None where the key is taken."""
    done = await tx.run(
        insert_into(tx, schema.product)
        .values(key=key, name=name, upstream=upstream)
        .on_conflict_do_nothing(index_elements=["key"])
    )
    return Product(key, name, upstream) if done.rowcount == 1 else None


async def set_product(tx: Tx, product: Product) -> bool:
    """Change the name and the upstream of a product; False where there is none of this key."""
    done = await tx.run(
        update(schema.product)
        .where(_product.key == product.key)
        .values(name=product.name, upstream=product.upstream)
    )
    return done.rowcount == 1


async def product_by_key(reader: Reader, key: str) -> Product | None:
    row = await reader.first(select(schema.product).where(_product.key == key))
    return Product(row.key, row.name, row.upstream) if row is not None else None


async def product_upstream(reader: Reader, key: str) -> str | None:
    """The URL of a product's APIs; None where there is none."""
    product = await product_by_key(reader, key)
    return product.upstream if product is not None else None


async def all_products(reader: Reader) -> tuple[Product, ...]:
    rows = await reader.all(select(schema.product).order_by(_product.key))
    return tuple(Product(row.key, row.name, row.upstream) for row in rows)


# ---- sites


async def add_site(
    tx: Tx, organization_id: str, host: str, name: str, products: Sequence[str]
) -> Site | None:
    """A new site of an organization, on declared products; None where the host is taken."""
    site = Site(new_id(), organization_id, host, name, tuple(sorted(set(products))), tx.now)
    done = await tx.run(
        insert_into(tx, schema.site)
        .values(
            id=site.id,
            organization_id=organization_id,
            host=host,
            name=name,
            created_at=site.created_at,
        )
        .on_conflict_do_nothing(index_elements=["host"])
    )
    if done.rowcount != 1:
        return None
    for product in site.products:
        await tx.run(insert(schema.site_product).values(site_id=site.id, product=product))
    tx.changed(Kind.SITE, site.id)
    return site


@dataclass(frozen=True, slots=True)
class Given:
    """A role on a site, and the issuer of the claims that gave it; None where a person did."""

    role: SiteRole
    by: str | None


def _prepare_site(which: ColumnElement[bool]) -> Prepared:
    columns = (_site.id, _site.organization_id, _site.host, _site.name, _site.created_at)
    return Prepared(
        select(*columns, _site_product.product)
        .outerjoin(schema.site_product, _site_product.site_id == _site.id)
        .where(which)
        .order_by(_site_product.product)
    )


_BY_ID = _prepare_site(_site.id == bindparam("site_id"))
_BY_HOST = _prepare_site(_site.host == bindparam("host"))


def _one_site(rows: Sequence[Sequence[Any]]) -> Site | None:
    if not rows:
        return None
    site_id, organization_id, host, name, created_at, _ = rows[0]
    products = tuple([row[5] for row in rows if row[5] is not None])
    return Site(site_id, organization_id, host, name, products, created_at)


async def site_by_id(reader: Reader, site_id: str) -> Site | None:
    """The site with this cloud id."""
    return _one_site(await reader.every(_BY_ID, site_id=site_id))


async def site_by_host(reader: Reader, host: str) -> Site | None:
    """The site with this host, given in lower case and without a port."""
    return _one_site(await reader.every(_BY_HOST, host=host))


async def all_sites(reader: Reader) -> tuple[Site, ...]:
    return await _sites(reader, None)


async def sites_of(reader: Reader, account_id: str) -> tuple[tuple[Site, SiteRole], ...]:
    """The sites that the account belongs to, by itself or as an admin of the organization."""
    member = exists().where(_membership.site_id == _site.id, _membership.account_id == account_id)
    org_admin = exists().where(
        _org_admin.organization_id == _site.organization_id, _org_admin.account_id == account_id
    )
    sites = await _sites(reader, or_(member, org_admin))
    roles = {
        row.site_id: SiteRole(row.role)
        for row in await reader.all(
            select(_membership.site_id, _membership.role).where(
                _membership.account_id == account_id
            )
        )
    }
    organizations = {
        row.organization_id
        for row in await reader.all(
            select(_org_admin.organization_id).where(_org_admin.account_id == account_id)
        )
    }
    return tuple(
        (site, SiteRole.ADMIN if site.organization_id in organizations else roles[site.id])
        for site in sites
    )


async def organizations_of(
    reader: Reader, account_id: str
) -> tuple[tuple[Organization, bool], ...]:
    """The organizations whose admin the account is (true), or that it has a site of; by name."""
    administered = exists().where(
        _org_admin.organization_id == _organization.id, _org_admin.account_id == account_id
    )
    has_a_site = exists().where(
        _site.organization_id == _organization.id,
        _membership.site_id == _site.id,
        _membership.account_id == account_id,
    )
    rows = await reader.all(
        select(schema.organization, administered.label("administered"))
        .where(or_(administered, has_a_site))
        .order_by(_organization.name, _organization.id)
    )
    return tuple(
        (Organization(row.id, row.name, row.created_at), bool(row.administered)) for row in rows
    )


async def _sites(reader: Reader, condition: ColumnElement[bool] | None) -> tuple[Site, ...]:
    statement = (
        select(schema.site, _site_product.product)
        .outerjoin(schema.site_product, _site_product.site_id == _site.id)
        .order_by(_site.host, _site_product.product)
    )
    if condition is not None:
        statement = statement.where(condition)
    sites: dict[str, Row[Any]] = {}
    products: defaultdict[str, list[str]] = defaultdict(list)
    for row in await reader.all(statement):
        sites.setdefault(row.id, row)
        if row.product is not None:
            products[row.id].append(row.product)
    return tuple(
        Site(
            row.id,
            row.organization_id,
            row.host,
            row.name,
            tuple(products[row.id]),
            row.created_at,
        )
        for row in sites.values()
    )


# ---- who belongs where


async def members_of(reader: Reader, site_id: str) -> tuple[tuple[Account, SiteRole], ...]:
    """The accounts that are members of the site by themselves, by email."""
    rows = await reader.all(
        select(*account_columns(), _membership.role)
        .join(schema.membership, _membership.account_id == schema.account.c.id)
        .where(_membership.site_id == site_id, schema.account.c.kind == PERSON)
        .order_by(schema.account.c.email)
    )
    return tuple((account_of_row(row), SiteRole(row.role)) for row in rows)


async def hold_site(tx: Tx, site_id: str) -> None:
    """Let nobody else change who belongs to the site until the transaction ends."""
    await hold(tx, schema.site, site_id)


async def membership_of(reader: Reader, account_id: str, site_id: str) -> SiteRole | None:
    """The role that the account has on the site by itself; None where it is no member."""
    role = await reader.scalar(
        select(_membership.role).where(
            _membership.account_id == account_id, _membership.site_id == site_id
        )
    )
    return SiteRole(role) if role is not None else None


async def set_membership(
    tx: Tx, account_id: str, site_id: str, role: SiteRole, *, given_by: str | None = None
) -> None:
    """Make the account a member of the site with this role, whatever it was there before.

    `given_by` is the issuer of the claims that give it; None where a person does.
    """
    statement = insert_into(tx, schema.membership).values(
        account_id=account_id,
        site_id=site_id,
        role=role.value,
        created_at=tx.now,
        given_by=given_by,
    )
    await tx.run(
        statement.on_conflict_do_update(
            index_elements=["account_id", "site_id"],
            set_={"role": role.value, "given_by": given_by},
        )
    )
    tx.changed(Kind.MEMBERSHIP, f"{account_id}/{site_id}")


async def memberships_of(reader: Reader, account_id: str) -> dict[str, Given]:
    """The account's own memberships, by site id."""
    rows = await reader.all(
        select(_membership.site_id, _membership.role, _membership.given_by).where(
            _membership.account_id == account_id
        )
    )
    return {row.site_id: Given(SiteRole(row.role), row.given_by) for row in rows}


async def end_membership(tx: Tx, account_id: str, site_id: str) -> bool:
    """False where there was none."""
    done = await tx.run(
        delete(schema.membership).where(
            _membership.account_id == account_id, _membership.site_id == site_id
        )
    )
    if done.rowcount == 1:
        tx.changed(Kind.MEMBERSHIP, f"{account_id}/{site_id}")
    return done.rowcount == 1


async def org_admins_of(reader: Reader, organization_id: str) -> tuple[Account, ...]:
    rows = await reader.all(
        select(*account_columns())
        .join(schema.organization_admin, _org_admin.account_id == schema.account.c.id)
        .where(_org_admin.organization_id == organization_id)
        .order_by(schema.account.c.email)
    )
    return tuple(account_of_row(row) for row in rows)


async def set_org_admin(tx: Tx, account_id: str, organization_id: str) -> bool:
    """False where the account was an admin of the organization already."""
    done = await tx.run(
        insert_into(tx, schema.organization_admin)
        .values(account_id=account_id, organization_id=organization_id, created_at=tx.now)
        .on_conflict_do_nothing(index_elements=["account_id", "organization_id"])
    )
    if done.rowcount == 1:
        await _role_changed_everywhere(tx, account_id, organization_id)
    return done.rowcount == 1


async def end_org_admin(tx: Tx, account_id: str, organization_id: str) -> bool:
    """False where the account was no admin of the organization."""
    done = await tx.run(
        delete(schema.organization_admin).where(
            and_(
                _org_admin.account_id == account_id,
                _org_admin.organization_id == organization_id,
            )
        )
    )
    if done.rowcount == 1:
        await _role_changed_everywhere(tx, account_id, organization_id)
    return done.rowcount == 1


async def _role_changed_everywhere(tx: Tx, account_id: str, organization_id: str) -> None:
    """An admin of an organization has a role on each of its sites."""
    rows = await tx.all(select(_site.id).where(_site.organization_id == organization_id))
    for row in rows:
        tx.changed(Kind.MEMBERSHIP, f"{account_id}/{row.id}")
