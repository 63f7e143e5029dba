"""`variables`: what an environment's functions read from their process environment."""

from __future__ import annotations

import sys

import click

from sallyport.cli.client import signed_in
from sallyport.cli.failures import USAGE, Failed
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import app_option, asked, environment_option, json_option
from sallyport.cli.terminal import done, interactive, json_text, note, table

_MAX_VALUE = 1_000_000


@click.group(cls=Noun)
def variables() -> None:
    """Variables that functions read, one set for each environment."""


@variables.command("set")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--encrypt", is_flag=True, help="Never show the value again.")
@environment_option
@app_option
def set_variable(
    key: str | None, value: str | None, encrypt: bool, environment: str, app: str | None
) -> None:
    """Set a variable.

    Without VALUE you are asked for it; where nobody is there to ask, it is read from standard
    input, which keeps secrets out of the command line.
    """
    app = app_id(app)
    key = asked(key, "KEY", "Variable key", ask=True)
    if value is None:
        value = _value(encrypt)
    with signed_in() as api:
        api.put(
            "apps",
            app,
            "environments",
            environment,
            "variables",
            key,
            json={"value": value, "secret": encrypt},
        )
    done(f"Set the variable {key} in {environment}")


@variables.command("unset")
@click.argument("key")
@environment_option
@app_option
def unset(key: str, environment: str, app: str | None) -> None:
    """Remove a variable."""
    app = app_id(app)
    with signed_in() as api:
        api.delete("apps", app, "environments", environment, "variables", key)
    done(f"Removed the variable {key} from {environment}")


@variables.command("list")
@environment_option
@app_option
@json_option
def list_variables(environment: str, app: str | None, as_json: bool) -> None:
    """List the variables; encrypted values show as ****."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items("apps", app, "environments", environment, "variables")
    if as_json:
        click.echo(json_text(found))
        return
    table(
        ("Encrypted?", "Key", "Value"),
        [
            (each["secret"], each["key"], "****" if each["secret"] else each["value"])
            for each in found
        ],
        empty=f"There are no variables in {environment}.",
    )
    if any(each["secret"] for each in found):
        note("Encrypted values show as ****.")


def _value(encrypt: bool) -> str:
    if interactive():
        answer: str = click.prompt("Value", hide_input=encrypt, err=True)
        return answer
    read = sys.stdin.read(_MAX_VALUE + 1)
    if len(read) > _MAX_VALUE:
        raise Failed("The value is too long.", exit_code=USAGE)
    value = read.removesuffix("\n")
    if not value:
        raise Failed(
            "VALUE is missing.", fix="Give VALUE, or send it to standard input.", exit_code=USAGE
        )
    return value
