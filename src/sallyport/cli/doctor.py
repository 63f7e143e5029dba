"""`sallyport doctor`: what this host can hold app code to, line by line."""

from __future__ import annotations

import os

import click

from sallyport.cli.failures import Failed
from sallyport.cli.lazy import Verb
from sallyport.cli.terminal import json_text, mark, say
from sallyport.settings import BadSetting, read_settings


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say what this host can hold app code to, and what is missing.

    Starts a process in a sandbox and has it try what it should not be able to do. Run it as the
    user that runs the platform. Exits with 1 where code of developers that you do not trust cannot
    be run.
    """
    from sallyport.app import examine_host, node_of_host

    try:
        settings = read_settings(os.environ)
        examined = examine_host(settings)
    except BadSetting as error:
        raise Failed(str(error), fix="See `sallyport up --help`.") from None
    lines = examined.lines
    if as_json:
        click.echo(
            json_text(
                {
                    "fit": examined.fit,
                    "problem": examined.problem,
                    "guarantees": {line.name: line.kept for line in lines},
                    "control_groups": list(examined.groups),
                    "node": node_of_host(settings),
                }
            )
        )
    else:
        for line in lines:
            sign = (
                mark("✓", "green") if line.kept else mark("✗", "red" if line.needed else "yellow")
            )
            say(f"{sign} {line.text}{'' if line.kept or line.needed else ' (not required)'}")
        say()
        say(node_of_host(settings))
        if examined.fit:
            say("This host can run apps of developers that you do not trust.")
        else:
            say("This host cannot run apps of developers that you do not trust.")
            say(f"What is wrong: {examined.problem}.")
            say("For code that you trust: sallyport up --runtime-driver plain")
    if not examined.fit:
        raise click.exceptions.Exit(1)
