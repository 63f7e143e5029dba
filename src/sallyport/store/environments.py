"""Environments of an app, with their custom scopes and variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from sallyport.model.directory import Actor
from sallyport.model.registry import BUILT_IN_ENVIRONMENTS, CustomScope, Environment, Variable
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.facts import variable_purpose
from sallyport.store.grants import end_grants
from sallyport.store.locks import hold
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_ENVIRONMENT = schema.environment.c
_SCOPE = schema.custom_scope.c
_VARIABLE = schema.variable.c


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering scopes did: names that are new, got another text, or stayed as they were."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


async def environments_of(reader: Reader, app_id: str) -> tuple[Environment, ...]:
    """The environments of an app: the built-in ones first, then others by age."""
    rows = await reader.all(select(schema.environment).where(_ENVIRONMENT.app_id == app_id))
    return tuple(sorted((_environment(row) for row in rows), key=_place))


async def environment_by_key(reader: Reader, app_id: str, key: str) -> Environment | None:
    row = await reader.first(
        select(schema.environment).where(_ENVIRONMENT.app_id == app_id, _ENVIRONMENT.key == key)
    )
    return _environment(row) if row is not None else None


async def environment_by_id(reader: Reader, environment_id: str) -> Environment | None:
    row = await reader.first(select(schema.environment).where(_ENVIRONMENT.id == environment_id))
    return _environment(row) if row is not None else None


async def add_environment(tx: Tx, actor: Actor, app_id: str, key: str, most: int) -> Environment:
    """A new environment. Raises `Refused` where the key is taken or the app has `most` already."""
    await hold(tx, schema.app, app_id)
    keys = {each.key for each in await environments_of(tx, app_id)}
    if key in keys:
        raise Refused(
            Reason.ALREADY_EXISTS,
            f"The app has an environment {key} already.",
            fix="Choose another name.",
        )
    if len(keys) >= most:
        raise Refused(
            Reason.CONFLICT,
            f"An app has at most {most} environments.",
            fix="Delete an environment that is no longer needed.",
        )
    made = Environment(new_id(), app_id, key, tx.now)
    await tx.run(
        insert(schema.environment).values(id=made.id, app_id=app_id, key=key, created_at=tx.now)
    )
    tx.changed(Kind.APP, app_id)
    tx.audit(Event.ENVIRONMENT_CREATED, actor, app_id=app_id, subject=made.id, key=key)
    return made


async def delete_environment(tx: Tx, actor: Actor, environment: Environment) -> tuple[str, ...]:
    """Delete an environment and all that hangs on it; returns the installations that ended.

    Scopes, variables, versions, installations with their data, switches, links, grants and tokens
    go with it, by the tables' cascades.
    """
    await hold(tx, schema.environment, environment.id, to_delete=True)
    installation, link = schema.installation.c, schema.integration_link.c
    ended = await tx.all(
        select(installation.id, installation.site_id, installation.product).where(
            installation.environment_id == environment.id
        )
    )
    clients = await tx.all(
        select(link.client_id).where(link.environment_id == environment.id).distinct()
    )
    of_environment = schema.grant.c.environment_id == environment.id
    grants = await end_grants(tx, actor, of_environment, reason="The environment was deleted")
    await tx.run(delete(schema.environment).where(_ENVIRONMENT.id == environment.id))
    tx.changed(Kind.APP, environment.app_id)
    tx.changed(Kind.VERSION, environment.id)
    tx.changed(Kind.VARIABLES, environment.id)
    for site_id in sorted({row.site_id for row in ended}):
        tx.changed(Kind.INSTALLATION, f"{site_id}/{environment.id}")
        tx.changed(Kind.SWITCH, f"{site_id}/{environment.id}")
    for row in clients:
        tx.changed(Kind.INTEGRATION, row.client_id)
    tx.audit(
        Event.ENVIRONMENT_DELETED,
        actor,
        app_id=environment.app_id,
        subject=environment.id,
        key=environment.key,
        grants=grants,
    )
    for row in ended:
        tx.audit(
            Event.APP_UNINSTALLED,
            actor,
            site_id=row.site_id,
            app_id=environment.app_id,
            subject=row.id,
            environment=environment.key,
            product=row.product,
            reason="The environment was deleted",
        )
    return tuple(row.id for row in ended)


async def scopes_of(reader: Reader, environment_id: str) -> tuple[CustomScope, ...]:
    """The custom scopes registered in an environment, by name."""
    rows = await reader.all(
        select(schema.custom_scope)
        .where(_SCOPE.environment_id == environment_id)
        .order_by(_SCOPE.name)
    )
    return tuple(CustomScope(row.name, row.description, row.display_name) for row in rows)


async def register_scopes(
    tx: Tx, actor: Actor, environment: Environment, scopes: Sequence[CustomScope], most: int
) -> Registration:
    """Add scopes, or give registered ones a new text; nothing is ever taken away (section (c.2)).

    Raises `Refused` where more than `most` would be registered in the environment.
    """
    await hold(tx, schema.environment, environment.id)
    held = {each.name: each for each in await scopes_of(tx, environment.id)}
    new = [each for each in scopes if each.name not in held]
    changed = [each for each in scopes if each.name in held and held[each.name] != each]
    if len(held) + len(new) > most:
        raise Refused(
            Reason.SCOPES_INVALID,
            f"An environment has at most {most} custom scopes. {len(held)} are registered in "
            f"{environment.key}, and this would add {len(new)}.",
            fix="Use registered scopes for more routes; a registered scope cannot be deleted.",
        )
    for scope in new:
        await tx.run(
            insert(schema.custom_scope).values(
                environment_id=environment.id,
                name=scope.name,
                description=scope.description,
                display_name=scope.display_name,
                created_at=tx.now,
            )
        )
    for scope in changed:
        await tx.run(
            update(schema.custom_scope)
            .where(_SCOPE.environment_id == environment.id, _SCOPE.name == scope.name)
            .values(description=scope.description, display_name=scope.display_name)
        )
    done = Registration(
        tuple(each.name for each in new),
        tuple(each.name for each in changed),
        tuple(each.name for each in scopes if held.get(each.name) == each),
    )
    if new or changed:
        tx.audit(
            Event.SCOPES_REGISTERED,
            actor,
            app_id=environment.app_id,
            subject=environment.id,
            environment=environment.key,
            new=done.new,
            changed=done.changed,
        )
    return done


async def list_variables(reader: Reader, environment_id: str) -> tuple[Variable, ...]:
    """The variables of an environment by key; a secret one without its value."""
    rows = await reader.all(
        select(_VARIABLE.key, _VARIABLE.sealed, _VARIABLE.secret)
        .where(_VARIABLE.environment_id == environment_id)
        .order_by(_VARIABLE.key)
    )
    return tuple(
        Variable(
            row.key,
            None
            if row.secret
            else reader.sealer.open(row.sealed, variable_purpose(environment_id, row.key)).decode(),
            row.secret,
        )
        for row in rows
    )


async def set_variable(
    tx: Tx, actor: Actor, environment: Environment, variable: Variable, most: int
) -> None:
    """Set a variable, sealed. Raises `Refused` where the environment has `most` others."""
    assert variable.value is not None
    await hold(tx, schema.environment, environment.id)
    values = {
        "sealed": tx.sealer.seal(
            variable.value.encode(), variable_purpose(environment.id, variable.key)
        ),
        "secret": variable.secret,
        "updated_at": tx.now,
    }
    mine = (_VARIABLE.environment_id == environment.id) & (_VARIABLE.key == variable.key)
    if (await tx.run(update(schema.variable).where(mine).values(**values))).rowcount == 0:
        count = await tx.scalar(
            select(func.count())
            .select_from(schema.variable)
            .where(_VARIABLE.environment_id == environment.id)
        )
        if count >= most:
            raise Refused(
                Reason.CONFLICT,
                f"An environment has at most {most} variables.",
                fix="Unset one that is no longer needed.",
            )
        await tx.run(
            insert(schema.variable).values(
                environment_id=environment.id, key=variable.key, **values
            )
        )
    tx.changed(Kind.VARIABLES, environment.id)
    tx.audit(
        Event.VARIABLE_SET,
        actor,
        app_id=environment.app_id,
        subject=variable.key,
        environment=environment.key,
        secret=variable.secret,
    )


async def unset_variable(tx: Tx, actor: Actor, environment: Environment, key: str) -> bool:
    """Remove a variable; False where there is none."""
    gone = await tx.run(
        delete(schema.variable).where(
            _VARIABLE.environment_id == environment.id, _VARIABLE.key == key
        )
    )
    if gone.rowcount == 0:
        return False
    tx.changed(Kind.VARIABLES, environment.id)
    tx.audit(
        Event.VARIABLE_UNSET,
        actor,
        app_id=environment.app_id,
        subject=key,
        environment=environment.key,
    )
    return True


def _environment(row: Row[Any]) -> Environment:
    return Environment(row.id, row.app_id, row.key, row.created_at)


def _place(environment: Environment) -> tuple[int, int, str]:
    built_in = environment.key in BUILT_IN_ENVIRONMENTS
    index = BUILT_IN_ENVIRONMENTS.index(environment.key) if built_in else len(BUILT_IN_ENVIRONMENTS)
    return index, environment.created_at, environment.key
