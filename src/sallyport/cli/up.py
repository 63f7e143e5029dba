"""`sallyport up`: start a platform."""

from __future__ import annotations

import asyncio
import os
from dataclasses import fields, replace
from typing import Any

import click

from sallyport.cli.failures import Failed
from sallyport.cli.lazy import Verb
from sallyport.cli.terminal import note, say
from sallyport.cli.trust import tell_of_trust
from sallyport.settings import BadSetting, Settings, flag, read_settings, variable


def _flags(command: click.Command) -> click.Command:
    for each in fields(Settings):
        kind: Any = int if isinstance(each.default, int) else str
        command.params.append(
            click.Option(
                [flag(each), each.name],
                type=kind,
                help=f"{each.metadata['help']}  [{variable(each.name)}]",
            )
        )
    return command


@click.command(cls=Verb)
def up(**flags: Any) -> None:
    """Start a platform and keep it running.

    Each flag is also a SALLYPORT_* variable; a flag wins. On an empty data folder a one-time link
    is printed that makes the first operator; until then nothing else works.
    """
    try:
        settings = read_settings(os.environ, **flags)
    except BadSetting as error:
        raise Failed(str(error), fix="See `sallyport up --help`.") from None
    import uvloop

    from sallyport.observe.logs import configure_logging

    configure_logging(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_up(settings))


async def _up(settings: Settings) -> None:
    from sallyport.app import open_platform
    from sallyport.cli.server import bind, port_of, serving
    from sallyport.folder import AlreadyRunning

    public = bind(settings.host, settings.port, "--port")
    settings = replace(settings, port=port_of(public))
    with public, bind(settings.admin_host, settings.admin_port, "--admin-port") as admin:
        try:
            async with open_platform(settings) as platform:
                async with serving(platform, public, admin) as stop:
                    say(f"Sallyport listens on {settings.address}")
                    say(f"Health and metrics on http://{settings.admin_host}:{port_of(admin)}")
                    tell_of_trust(platform)
                    if platform.setup_link is not None:
                        say("There is no operator yet. Open this link once to become it:")
                        say(f"  {platform.setup_link}")
                    await stop.wait()
                    note("Stopping.")
        except AlreadyRunning as error:
            raise Failed(str(error)) from None
        except BadSetting as error:
            raise Failed(str(error), fix="See `sallyport up --help`.") from None


_flags(up)
