"""Variables of an environment: sealed at rest, secret ones never shown again."""

from __future__ import annotations

import re

from sallyport.control.authority import require_app_part, require_app_work
from sallyport.control.places import environment_named
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.model.registry import Variable
from sallyport.store import environments
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused

MOST_VARIABLES = 100
LONGEST_VALUE = 16 * 1024

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


async def list_variables(
    services: Services, actor: Actor, app_id: str, environment_key: str
) -> tuple[Variable, ...]:
    """The variables by key, secret ones without value, for builders of the app.

    Raises `Refused`.
    """

    async def ask(reader: Reader) -> tuple[Variable, ...]:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        return await environments.list_variables(reader, environment.id)

    return await services.store.read(ask)


async def set_variable(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    key: str,
    value: str,
    *,
    secret: bool,
) -> Variable:
    """Set a variable; functions see it from their next start on. Raises `Refused`."""
    _check(key, value)

    async def work(tx: Tx) -> None:
        await require_app_work(tx, actor, app_id, environment_key)
        environment = await environment_named(tx, app_id, environment_key)
        variable = Variable(key, value, secret)
        await environments.set_variable(tx, actor, environment, variable, MOST_VARIABLES)

    await services.store.write(work)
    return Variable(key, None if secret else value, secret)


async def unset_variable(
    services: Services, actor: Actor, app_id: str, environment_key: str, key: str
) -> None:
    """Remove a variable. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        await require_app_work(tx, actor, app_id, environment_key)
        environment = await environment_named(tx, app_id, environment_key)
        if not await environments.unset_variable(tx, actor, environment, key):
            raise Refused(
                Reason.NOT_FOUND,
                f"There is no such variable in {environment_key}.",
                fix="List the variables to see their keys.",
            )

    await services.store.write(work)


def _check(key: str, value: str) -> None:
    if _KEY.fullmatch(key) is None:
        raise Refused(
            Reason.INVALID_INPUT,
            "That is not a variable's key.",
            fix="Use 1 to 128 letters, digits and underscores; begin with no digit.",
            members={"field": "key"},
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _bad_value("holds a character that is no Unicode text") from None
    if size > LONGEST_VALUE:
        raise _bad_value(f"is {size} bytes long; at most {LONGEST_VALUE} are allowed")
    if "\0" in value:
        raise _bad_value("holds a NUL character")


def _bad_value(why: str) -> Refused:
    return Refused(
        Reason.INVALID_INPUT,
        f"The variable's value {why}.",
        fix="Shorten it, or keep it where the function can fetch it.",
        members={"field": "value"},
    )
