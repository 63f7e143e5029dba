"""Options that many commands share, spelled and explained alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sallyport.cli.failures import USAGE, Failed
from sallyport.cli.terminal import interactive, plain

_F = TypeVar("_F", bound=Callable[..., Any])

DEVELOPMENT = "development"


def environment_key(_: click.Context, __: click.Parameter, given: str) -> str:
    """`default` is another word for development, contract section (j)."""
    return DEVELOPMENT if given == "default" else given


def _names(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(environment_key(ctx, param, each) for each in given)


def environment_option(function: _F) -> _F:
    return click.option(
        "-e",
        "--environment",
        metavar="NAME",
        default=DEVELOPMENT,
        show_default=True,
        callback=environment_key,
        help="The app's environment.",
    )(function)


def environments_option(function: _F) -> _F:
    return click.option(
        "-e",
        "--environment",
        "names",
        metavar="NAME",
        multiple=True,
        required=True,
        callback=_names,
        help="The environment; may be given several times.",
    )(function)


def app_option(function: _F) -> _F:
    return click.option(
        "--app", metavar="ID", help="The app's id; by default the one in ./manifest.yml."
    )(function)


def site_option(function: _F) -> _F:
    return click.option(
        "-s", "--site", metavar="SITE", required=True, help="The site's host or cloud id."
    )(function)


def json_option(function: _F) -> _F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def non_interactive_option(function: _F) -> _F:
    return click.option("--non-interactive", is_flag=True, help="Never ask; fail instead.")(
        function
    )


def yes_option(function: _F) -> _F:
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(function)


def asked(value: str | None, option: str, question: str, *, ask: bool, hidden: bool = False) -> str:
    """`value`, or the answer to `question` where a person is there. Raises `Failed`."""
    if value is not None:
        return value
    if not ask or not interactive():
        raise Failed(f"{option} is missing.", fix=f"Give {option}.", exit_code=USAGE)
    answer: str = click.prompt(plain(question), hide_input=hidden, err=True)
    return answer


def confirm(what: str, *, yes: bool) -> None:
    """Says what will happen and asks, where a person is there; a script named it and is believed.

    Raises `click.Abort`.
    """
    if not yes and interactive():
        click.confirm(f"{plain(what)} Go on?", abort=True, err=True)
