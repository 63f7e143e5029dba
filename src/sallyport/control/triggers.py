"""Web triggers' URLs, by admins of the site that the app is installed on.

A URL lets in whoever knows it, so who made it is audited, and only who may make it may see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.authority import require_site_admin
from sallyport.control.services import Services
from sallyport.manifest.stored import from_json
from sallyport.model.directory import Actor
from sallyport.model.manifest import WebTrigger
from sallyport.store import installed, triggers
from sallyport.store.engine import Reader, Tx
from sallyport.store.installed import Installed
from sallyport.store.running import running_version
from sallyport.store.triggers import WebTriggerUrl
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "TriggerLine",
    "create_web_trigger",
    "delete_web_trigger",
    "list_web_triggers",
    "trigger_address",
]


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """A web trigger of an installation.

    `declared` is None where the running version has no such module, `url` None where nobody made
    one.
    """

    module_key: str
    installed: Installed
    declared: WebTrigger | None
    url: WebTriggerUrl | None


def trigger_address(services: Services, url: WebTriggerUrl) -> str:
    """The URL that whoever knows it may call."""
    return f"{services.public_url}/webtrigger/{url.secret}"


async def list_web_triggers(
    services: Services, actor: Actor, installation_id: str
) -> tuple[TriggerLine, ...]:
    """What the installation's version declares, and what has a URL. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[TriggerLine, ...]:
        held = await _of_admin(reader, actor, installation_id)
        declared = {each.key: each for each in await _declared(reader, installation_id)}
        urls = {u.module_key: u for u in await triggers.web_triggers_of(reader, installation_id)}
        return tuple(
            TriggerLine(key, held, declared.get(key), urls.get(key))
            for key in sorted(declared.keys() | urls.keys())
        )

    return await services.store.read(ask)


async def create_web_trigger(
    services: Services, actor: Actor, installation_id: str, key: str
) -> TriggerLine:
    """The URL of a web trigger, made where there is none yet. Raises `Refused`.

    `key` is the module's, or that of the function which it alone runs.
    """

    async def work(tx: Tx) -> TriggerLine:
        held = await _of_admin(tx, actor, installation_id)
        declared = await _declared(tx, installation_id)
        named = [each for each in declared if each.key == key] or [
            each for each in declared if each.function == key
        ]
        if len(named) != 1:
            raise Refused(
                Reason.NOT_FOUND,
                "The installed version declares no such web trigger."
                if not named
                else "Several web triggers run this function.",
                fix=f"Choose one of: {', '.join(each.key for each in declared)}."
                if declared
                else "Declare it under modules.webtrigger and deploy.",
            )
        (trigger,) = named
        url = await triggers.add_web_trigger(tx, actor, held, trigger.key)
        return TriggerLine(trigger.key, held, trigger, url)

    return await services.store.write(work)


async def delete_web_trigger(services: Services, actor: Actor, trigger_id: str) -> None:
    """End a URL at once; a URL made later is another. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        url = await triggers.web_trigger_by_id(tx, trigger_id)
        if url is None:
            raise _no_such()
        held = await _of_admin(tx, actor, url.installation_id)
        await triggers.remove_web_trigger(tx, actor, held, url)

    await services.store.write(work)


async def _declared(reader: Reader, installation_id: str) -> tuple[WebTrigger, ...]:
    running = await running_version(reader, installation_id)
    if running is None:
        return ()
    found = from_json(running.manifest).webtriggers
    return tuple(each for each in found if each.function is not None)


async def _of_admin(reader: Reader, actor: Actor, installation_id: str) -> Installed:
    held = await installed.installation_by_id(reader, installation_id)
    if held is None:
        raise _no_such()
    try:
        await require_site_admin(reader, actor, held.site.id)
    except Refused as refused:
        if refused.reason is Reason.NOT_FOUND:
            raise _no_such() from None
        raise
    return held


def _no_such() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such installation or web trigger among those of your sites.",
        fix="`sallyport webtrigger list` shows those that you may see.",
    )
