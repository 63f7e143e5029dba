"""Custom scopes of an environment: registered by app admins, never taken away."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from sallyport.control.authority import require_app_admin, require_app_part
from sallyport.control.places import environment_named
from sallyport.control.services import Services
from sallyport.manifest.custom_scopes import MOST_SCOPES
from sallyport.manifest.messages import scopes_message
from sallyport.manifest.schema import violations
from sallyport.model.directory import Actor
from sallyport.model.manifest import ScopeDeclaration
from sallyport.model.registry import CustomScope, Environment
from sallyport.store import environments
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import Registration
from sallyport.store.installed import is_seen_through_a_site
from sallyport.vocab.errors import Reason, Refused

__all__ = ["Registration", "list_scopes", "register_scopes", "visible_environment"]

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


async def register_scopes(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    scopes: Sequence[ScopeDeclaration],
) -> Registration:
    """Add scopes to an environment, or change the texts of registered ones; by app admins.

    Raises `Refused`; for scopes that break contract section (c.1) with all findings as `errors`.
    """
    check_declarations(scopes)
    wanted = [CustomScope(each.name, each.description, each.display_name) for each in scopes]

    async def work(tx: Tx) -> Registration:
        await require_app_admin(tx, actor, app_id)
        environment = await environment_named(tx, app_id, environment_key)
        return await environments.register_scopes(tx, actor, environment, wanted, MOST_SCOPES)

    return await services.store.write(work)


async def list_scopes(
    services: Services, actor: Actor, app_id: str, environment_key: str
) -> tuple[CustomScope, ...]:
    """The registered scopes, for builders of the app and members of sites that have it installed.

    Raises `Refused`.
    """

    async def ask(reader: Reader) -> tuple[CustomScope, ...]:
        environment = await visible_environment(reader, actor, app_id, environment_key)
        return await environments.scopes_of(reader, environment.id)

    return await services.store.read(ask)


async def visible_environment(
    reader: Reader, actor: Actor, app_id: str, environment_key: str
) -> Environment:
    """The environment, where the actor builds the app or belongs to a site that has it installed.

    Raises `Refused`.
    """
    found = await environments.environment_by_key(reader, app_id, environment_key)
    if (
        found is not None
        and actor.account_id is not None
        and await is_seen_through_a_site(reader, actor.account_id, found.id)
    ):
        return found
    await require_app_part(reader, actor, app_id)
    return await environment_named(reader, app_id, environment_key)


def check_declarations(scopes: Sequence[ScopeDeclaration]) -> None:
    """The rules of contract section (c.1), by the schema that editors use. Raises `Refused`."""
    errors = [f"/scopes: '{name}' is declared twice" for name in _repeated(scopes)]
    document = {"version": 1, "scopes": {each.name: _as_declared(each) for each in scopes}}
    errors += [scopes_message(violation) for violation in violations("custom-scopes", document)]
    errors += [
        f"/scopes/{each.name}: must NOT hold control or bidirectional characters"
        for each in scopes
        if _hides_something(each.description) or _hides_something(each.display_name or "")
    ]
    if errors:
        raise Refused(
            Reason.SCOPES_INVALID,
            " ".join(f"{error}." for error in errors[:5]),
            fix="Declare 1 to 20 scopes named verb:noun:custom, each with a description.",
            members={"errors": errors},
        )


def _as_declared(scope: ScopeDeclaration) -> dict[str, Any]:
    declared = {"description": scope.description}
    if scope.display_name is not None:
        declared["displayName"] = scope.display_name
    return declared


def _repeated(scopes: Sequence[ScopeDeclaration]) -> list[str]:
    names = [each.name for each in scopes]
    return sorted({name for name in names if names.count(name) > 1})


def _hides_something(text: str) -> bool:
    return any(
        character in _BIDI
        or (unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t")
        for character in text
    )
