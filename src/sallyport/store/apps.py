"""Apps and who builds them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update

from sallyport.model.directory import Actor
from sallyport.model.registry import BUILT_IN_ENVIRONMENTS, App, AppRole, Environment
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.engine import Reader, Tx
from sallyport.store.locks import hold
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_ROLE = schema.app_role.c


@dataclass(frozen=True, slots=True)
class AppMember:
    """An account with a part in an app."""

    account_id: str
    email: str
    name: str
    role: AppRole


async def add_app(tx: Tx, actor: Actor, name: str) -> tuple[App, tuple[Environment, ...]]:
    """A new app with its built-in environments and its maker as admin."""
    app = App(new_id(), name, tx.now)
    await tx.run(insert(schema.app).values(id=app.id, name=name, created_at=tx.now))
    if actor.account_id is not None:
        await tx.run(
            insert(schema.app_role).values(
                app_id=app.id, account_id=actor.account_id, role=AppRole.ADMIN.value
            )
        )
    environments = tuple(
        Environment(new_id(), app.id, key, tx.now) for key in BUILT_IN_ENVIRONMENTS
    )
    for each in environments:
        await tx.run(
            insert(schema.environment).values(
                id=each.id, app_id=app.id, key=each.key, created_at=tx.now
            )
        )
    tx.changed(Kind.APP, app.id)
    tx.audit(Event.APP_REGISTERED, actor, app_id=app.id, subject=app.id, name=name)
    return app, environments


async def app_by_id(reader: Reader, app_id: str) -> App | None:
    row = await reader.first(select(schema.app).where(schema.app.c.id == app_id))
    return App(row.id, row.name, row.created_at) if row is not None else None


async def apps_of(reader: Reader, account_id: str) -> tuple[tuple[App, AppRole], ...]:
    """The apps that an account builds, with its role, by name."""
    rows = await reader.all(
        select(schema.app, _ROLE.role)
        .join(schema.app_role, _ROLE.app_id == schema.app.c.id)
        .where(_ROLE.account_id == account_id)
        .order_by(schema.app.c.name, schema.app.c.id)
    )
    return tuple((App(row.id, row.name, row.created_at), AppRole(row.role)) for row in rows)


async def app_members(reader: Reader, app_id: str) -> tuple[AppMember, ...]:
    """Who builds an app, by email."""
    account = schema.account.c
    rows = await reader.all(
        select(account.id, account.email, account.name, _ROLE.role)
        .join(schema.app_role, _ROLE.account_id == account.id)
        .where(_ROLE.app_id == app_id)
        .order_by(account.email)
    )
    return tuple(AppMember(row.id, row.email, row.name, AppRole(row.role)) for row in rows)


async def set_app_role(
    tx: Tx, actor: Actor, app_id: str, account_id: str, role: AppRole | None
) -> bool:
    """Give an account a role on an app, or with None take it away; False where nothing changed.

    Raises `Refused` where the app would be left without an active admin.
    """
    await hold(tx, schema.app, app_id)
    mine = (_ROLE.app_id == app_id) & (_ROLE.account_id == account_id)
    held = await tx.scalar(select(_ROLE.role).where(mine))
    if held == (role.value if role is not None else None):
        return False
    if held == AppRole.ADMIN.value and not await _other_admins(tx, app_id, account_id):
        raise Refused(
            Reason.CONFLICT,
            "The app would be left without an admin.",
            fix="Make another account an admin of the app first.",
        )
    if role is None:
        await tx.run(delete(schema.app_role).where(mine))
    elif held is None:
        await tx.run(
            insert(schema.app_role).values(app_id=app_id, account_id=account_id, role=role.value)
        )
    else:
        await tx.run(update(schema.app_role).where(mine).values(role=role.value))
    event = Event.APP_ROLE_SET if role is not None else Event.APP_ROLE_ENDED
    tx.audit(
        event, actor, app_id=app_id, subject=account_id, role=role.value if role else None, was=held
    )
    return True


async def _other_admins(tx: Tx, app_id: str, account_id: str) -> int:
    return int(
        await tx.scalar(
            select(func.count())
            .select_from(schema.app_role)
            .join(schema.account, schema.account.c.id == _ROLE.account_id)
            .where(
                _ROLE.app_id == app_id,
                _ROLE.account_id != account_id,
                _ROLE.role == AppRole.ADMIN.value,
                schema.account.c.active,
            )
        )
    )
