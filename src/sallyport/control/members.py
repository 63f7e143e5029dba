"""Members of a site, looked after by its admins. Accounts themselves are the operator's."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.places import account_named, site_of_admin
from sallyport.control.services import Services
from sallyport.model.directory import Account, Actor, Site, SiteRole
from sallyport.store import directory
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event

__all__ = ["Member", "SiteMembers", "end_site_member", "set_site_member", "site_members"]


@dataclass(frozen=True, slots=True)
class Member:
    account: Account
    role: SiteRole


@dataclass(frozen=True, slots=True)
class SiteMembers:
    """Who belongs to a site by itself, and who as an admin of its organization; by email."""

    site: Site
    members: tuple[Member, ...]
    organization_admins: tuple[Account, ...]


async def site_members(services: Services, actor: Actor, site: str) -> SiteMembers:
    """Who belongs to a site, for its admins. Raises `Refused`."""

    async def ask(reader: Reader) -> SiteMembers:
        found = await site_of_admin(reader, actor, site)
        rows = await directory.members_of(reader, found.id)
        return SiteMembers(
            found,
            tuple(Member(account, role) for account, role in rows),
            await directory.org_admins_of(reader, found.organization_id),
        )

    return await services.store.read(ask)


async def set_site_member(
    services: Services, actor: Actor, site: str, account: str, role: SiteRole
) -> Member:
    """Make an active account, by id or email, a member or an admin of a site; by its admins.

    Raises `Refused`: CONFLICT where the site would have no admin.
    """

    async def change(tx: Tx) -> Member:
        found = await site_of_admin(tx, actor, site)
        await directory.hold_site(tx, found.id)
        person = await account_named(tx, account)
        held = await directory.membership_of(tx, person.id, found.id)
        if held is not role:
            if held is SiteRole.ADMIN:
                await _require_another_admin(tx, found, person)
            await directory.set_membership(tx, person.id, found.id, role)
            tx.audit(Event.MEMBERSHIP_SET, actor, site_id=found.id, subject=person.id, role=role)
        return Member(person, role)

    return await services.store.write(change)


async def end_site_member(services: Services, actor: Actor, site: str, account: str) -> None:
    """Take an account off a site, by its admins. When this returns, its calls there are refused.

    Raises `Refused`: CONFLICT where the site would have no admin.
    """

    async def change(tx: Tx) -> None:
        found = await site_of_admin(tx, actor, site)
        await directory.hold_site(tx, found.id)
        person = await _member_named(tx, found, account)
        held = await directory.membership_of(tx, person.id, found.id)
        if held is SiteRole.ADMIN:
            await _require_another_admin(tx, found, person)
        await directory.end_membership(tx, person.id, found.id)
        tx.audit(Event.MEMBERSHIP_ENDED, actor, site_id=found.id, subject=person.id)

    await services.store.write(change)


async def _member_named(reader: Reader, site: Site, account: str) -> Account:
    """The member, active or not. Who is none is told as one who has no account is."""
    for person, _role in await directory.members_of(reader, site.id):
        if account.lower() in (person.id, person.email):
            return person
    raise Refused(
        Reason.NOT_FOUND,
        "The account is no member of this site.",
        fix="Admins of the organization belong to each of its sites; the operator ends that.",
    )


async def _require_another_admin(reader: Reader, site: Site, person: Account) -> None:
    """A site without an admin would be nobody's to switch off."""
    admins = [
        account
        for account, role in await directory.members_of(reader, site.id)
        if role is SiteRole.ADMIN
    ]
    admins += await directory.org_admins_of(reader, site.organization_id)
    if not any(each.active and each.id != person.id for each in admins):
        raise Refused(
            Reason.CONFLICT,
            f"{site.name} would have no admin.",
            fix="Make another member an admin first.",
        )
