"""What a caller names, found: environments, sites by cloud id or host, accounts by id or email.

Each asks inside the caller's transaction, after the authority that lets the caller know of it.
"""

from __future__ import annotations

import re

from sallyport.control.authority import require_member, require_site_admin
from sallyport.control.names import clean_email
from sallyport.model.directory import Account, Actor, Site
from sallyport.model.registry import Environment
from sallyport.store import accounts, directory, environments
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid

_ENVIRONMENT_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,29}", re.ASCII)


def check_environment_key(key: str) -> None:
    """An environment's name; the text is contract section (j)'s. Raises `Refused`."""
    if _ENVIRONMENT_KEY.fullmatch(key) is None:
        raise Refused(
            Reason.INVALID_INPUT,
            "Invalid environment name",
            fix="Use 1 to 30 lower-case letters, digits and hyphens; begin with no hyphen.",
            members={"field": "key"},
        )


async def environment_named(reader: Reader, app_id: str, key: str) -> Environment:
    """The app's environment with this key. Raises `Refused` with contract section (j)'s text."""
    check_environment_key(key)
    found = await environments.environment_by_key(reader, app_id, key)
    if found is None:
        raise Refused(
            Reason.NOT_FOUND,
            f"Environment with name {key} not defined. Create this environment with "
            f"sallyport environments create -e {key} before proceeding.",
        )
    return found


async def site_of_member(reader: Reader, actor: Actor, site: str) -> Site:
    """The site with this cloud id or host, where the actor belongs to it. Raises `Refused`."""
    found = await _site(reader, site)
    await require_member(reader, actor, found.id if found is not None else site)
    if found is None:
        raise Refused(Reason.NOT_FOUND, "There is no such site.")
    return found


async def site_of_admin(reader: Reader, actor: Actor, site: str) -> Site:
    """The site with this cloud id or host, where the actor is an admin of it. Raises `Refused`."""
    found = await site_of_member(reader, actor, site)
    await require_site_admin(reader, actor, found.id)
    return found


async def account_named(reader: Reader, account: str) -> Account:
    """The active account with this id or email. Raises `Refused`."""
    if is_uuid(account):
        found = await accounts.person_by_id(reader, account)
    else:
        found = await accounts.account_by_email(reader, clean_email(account))
    if found is None or not found.active:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such active account.",
            fix="Check the email; the operator makes accounts.",
        )
    return found


async def _site(reader: Reader, site: str) -> Site | None:
    if is_uuid(site):
        return await directory.site_by_id(reader, site)
    return await directory.site_by_host(reader, site.lower())
