"""`sallyport demo`: a platform with the example app, ready to be called."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sallyport.cli.failures import Failed
from sallyport.cli.lazy import Verb
from sallyport.cli.terminal import coloured, mark, pairs, plain, say

if TYPE_CHECKING:
    from rich.status import Status


# A load test of the demo measures the platform, not how often one demo account may call.
_NO_NEAR_LIMITS = {
    f"SALLYPORT_{each}_PER_MINUTE": "6000000"
    for each in (
        *("INTEGRATION_CALLS", "ACCOUNT_CALLS", "APP_CALLS"),
        *("OAUTH_ADDRESS_REQUESTS", "OAUTH_CLIENT_REQUESTS"),
    )
}


@click.command(cls=Verb)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8440,
    show_default=True,
    help="The port to listen on.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".sallyport/demo"),
    show_default=True,
    help="Folder of the platform; a second start goes on with it.",
)
@click.option(
    "--workers",
    "gateways",
    type=click.IntRange(1),
    help="How many processes take connections.  [SALLYPORT_GATEWAYS]",
)
@click.option("--once", is_flag=True, help="Make one call, print the answer and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def demo(port: int, data: Path, gateways: int | None, once: bool, as_json: bool) -> None:
    """Start the platform with the example app, its people, an integration and a token.

    App code runs in sandboxes where this host has them, else as ordinary processes, and with
    SALLYPORT_RUNTIME_DRIVER as that says.
    """
    import uvloop

    from sallyport.observe.logs import configure_logging

    configure_logging(os.environ.get("SALLYPORT_LOG_LEVEL", "warning"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_demo(port, data, gateways, once=once, as_json=as_json))


async def _demo(port: int, data: Path, gateways: int | None, *, once: bool, as_json: bool) -> None:
    from sallyport.app import open_platform
    from sallyport.cli.demo_state import Demo
    from sallyport.cli.provision import provision, report
    from sallyport.cli.server import bind, port_of, serving
    from sallyport.cli.trust import tell_of_trust
    from sallyport.folder import AlreadyRunning
    from sallyport.settings import BadSetting, read_settings

    steps = Steps(quiet=as_json)
    public = bind("127.0.0.1", port, "--port")
    with public, bind("127.0.0.1", 0, "--admin-port") as admin:
        url = f"http://localhost:{port_of(public)}"
        try:
            settings = read_settings(
                {**_NO_NEAR_LIMITS, **os.environ},
                data=str(data),
                database_url="",
                public_url=url,
                port=port_of(public),
                gateways=gateways,
            )
            steps.begin("Start the platform")
            async with open_platform(settings, or_plain=True) as platform:
                async with serving(platform, public, admin) as stop:
                    steps.end()
                    tell_of_trust(platform)
                    made = Demo(url, data, platform.setup_link)
                    await provision(made, steps)
                    if as_json:
                        click.echo(json.dumps(report(made)))
                    if once:
                        click.echo(await _one_call(report(made)))
                        return
                    if not as_json:
                        _screen(report(made), made.state["operator"], data)
                    sys.stdout.flush()
                    await stop.wait()
        except BadSetting as error:
            raise Failed(str(error), fix="Change or unset the variable.") from None
        except AlreadyRunning as error:
            raise Failed(str(error), fix="Choose another folder with --data.") from None
        finally:
            steps.stop()


class Steps:
    """Shows what is being done and what is done.

    A line moves while a step runs on a terminal; elsewhere there is one plain line a step. Where
    the answer is JSON, all of it goes to standard error.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._err = quiet
        self._title = ""
        self._moving: Status | None = None
        if coloured(err=quiet):
            from rich.console import Console

            self._moving = Console(stderr=quiet).status("")

    def begin(self, title: str) -> None:
        self._title = title
        if self._moving is not None:
            self._moving.update(f"{title} ...")
            self._moving.start()

    def end(self) -> None:
        self.stop()
        click.echo(f"{mark('✓', 'green', err=self._err)} {self._title}", err=self._err)

    def stop(self) -> None:
        if self._moving is not None:
            self._moving.stop()


async def _one_call(facts: dict[str, Any]) -> str:
    import httpx

    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.get(
            f"{facts['base_url']}/getEmployeeName",
            params={"id": "1234"},
            headers={"Authorization": f"Bearer {facts['access_token']}"},
        )
    if answer.is_error:
        raise Failed(f"The call was refused with {answer.status_code}: {answer.text}")
    return plain(answer.text)


def _screen(facts: dict[str, Any], operator: dict[str, Any], data: Path) -> None:
    url = facts["public_url"]
    say()
    say("Sallyport runs, with the app Employee Directory on the site Acme. Open:")
    pairs(
        [
            ("  developer console", f"{url}/console"),
            ("  admin console", f"{url}/admin"),
            ("  API documentation", f"{url}/docs/apps/{facts['app_id']}"),
        ]
    )
    say()
    say("Sign in as:")
    people = [*facts["accounts"].items(), ("operator", operator)]
    width = max(len(person["email"]) for _, person in people)
    pairs(
        [
            (f"  {role}", f"{person['email']:<{width}}  {person['password']}")
            for role, person in people
        ]
    )
    say()
    say("Call the app:")
    click.echo(
        f"  curl '{facts['base_url']}/getEmployeeName?id=1234' \\\n"
        f"    -H 'Authorization: Bearer {facts['access_token']}'"
    )
    say()
    say(f"The app's code is in {data / 'employee-directory'}. Change it there and deploy it:")
    developer = facts["accounts"]["developer"]
    click.echo(
        f"  cd {data / 'employee-directory'} && SALLYPORT_URL={url} \\\n"
        f"    SALLYPORT_EMAIL={developer['email']} \\\n"
        f"    SALLYPORT_API_TOKEN={developer['api_token']} \\\n"
        f"    {Path(sys.argv[0]).resolve()} deploy"
    )
    say()
    say("Press Ctrl+C to stop; the next start goes on from here.")
