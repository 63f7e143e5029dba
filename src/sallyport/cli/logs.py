"""`logs`: what an app's functions wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import click

from sallyport.cli.client import signed_in
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Verb
from sallyport.cli.options import app_option, environment_option, json_option
from sallyport.cli.since import since
from sallyport.cli.terminal import json_text, mark, plain, say
from sallyport.vocab.clock import SystemClock

_COLOURS = {"DEBUG": "bright_black", "WARN": "yellow", "ERROR": "red", "FATAL": "red"}


def _since(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    try:
        return since(given, SystemClock().now())
    except (ValueError, OverflowError):
        raise click.BadParameter("give 5m, 10h, 2d, 2026-11-23 or an ISO time.") from None


@click.command(cls=Verb)
@environment_option
@click.option("-i", "--invocation", metavar="ID", help="Only this invocation.")
@click.option("--trace", metavar="ID", help="Only the call with this trace id.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), help="At most so many lines.")
@click.option(
    "-s", "--since", callback=_since, metavar="TIME", help="5m, 10h, 2d, a date or an ISO time."
)
@click.option("-g", "--grouped", is_flag=True, help="Group the lines by invocation.")
@app_option
@json_option
def logs(
    environment: str,
    invocation: str | None,
    trace: str | None,
    limit: int | None,
    since: str | None,
    grouped: bool,
    app: str | None,
    as_json: bool,
) -> None:
    """Show what the app's functions wrote, oldest first."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items(
            "apps",
            app,
            "environments",
            environment,
            "logs",
            invocation=invocation,
            trace=trace,
            since=since,
            limit=limit,
        )
    if as_json:
        click.echo(json_text(found))
    elif not found:
        say("No log lines match.")
    elif grouped:
        _show_grouped(found)
    else:
        for line in found:
            _show(line, f"{line['at']}  {line.get('invocation_id', '')}")


def _show_grouped(found: list[dict[str, Any]]) -> None:
    for invocation, lines in _by_invocation(found):
        first = lines[0]
        say(f"invocation {invocation}  {first.get('function_key', '')}  {first['at']}")
        for line in lines:
            _show(line, str(line["at"])[11:])
        say()


def _by_invocation(
    found: Iterable[dict[str, Any]],
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Lines by invocation, in the order in which the invocations began."""
    order: dict[str, int] = {}
    for line in found:
        order.setdefault(str(line.get("invocation_id")), len(order))
    together = sorted(found, key=lambda line: order[str(line.get("invocation_id"))])
    for key, lines in groupby(together, key=lambda line: str(line.get("invocation_id"))):
        yield key, list(lines)


def _show(line: dict[str, Any], where: str) -> None:
    level = plain(line["level"])
    shown = mark(f"{level:<5}", _COLOURS[level]) if level in _COLOURS else f"{level:<5}"
    first, *rest = str(line["text"]).split("\n")
    click.echo(f"{shown}  {plain(where)}  {plain(first)}")
    for more in rest:
        click.echo(f"       {plain(more)}")
