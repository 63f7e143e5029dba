"""The audit as tables and files, for every command that shows one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from sallyport.cli.client import Api, signed_in
from sallyport.cli.lazy import Verb
from sallyport.cli.since import since
from sallyport.cli.terminal import listing
from sallyport.cli.terminal import note as note_line
from sallyport.vocab.clock import SystemClock

_F = TypeVar("_F", bound=Callable[..., Any])
_PAGE = 500
_MOST = 100_000
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of an audit, and in which form; from the command line."""

    event: tuple[str, ...]
    account: str | None
    client_id: str | None
    app_id: str | None
    since: str | None
    until: str | None
    before: int | None
    limit: int | None
    export: str | None
    as_json: bool

    @property
    def filters(self) -> dict[str, Any]:
        """As the API takes them."""
        return {
            "event": list(self.event) or None,
            "account": self.account,
            "client_id": self.client_id,
            "app": self.app_id,
            "since": self.since,
            "until": self.until,
        }


def _time(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    try:
        return since(given, SystemClock().now())
    except (ValueError, OverflowError):
        raise click.BadParameter("give 5m, 10h, 2d, 2026-11-23 or an ISO time.") from None


_OPTIONS = (
    click.option(
        "--event",
        metavar="NAME",
        multiple=True,
        help="Only these events: grant:revoked, or approval for all of approval; may be given "
        "several times.",
    ),
    click.option("--account", metavar="WHO", help="Done by or to this account; email or id."),
    click.option("--client", "client_id", metavar="ID", help="About this integration."),
    click.option("--since", callback=_time, metavar="TIME", help="5m, 10h, 2d, a date or a time."),
    click.option("--until", callback=_time, metavar="TIME", help="Before this time."),
    click.option("--before", metavar="ID", type=int, help="Only what came before this item."),
    click.option(
        "-n",
        "--limit",
        type=click.IntRange(1, _MOST),
        help=f"At most; {_LISTED} where it is shown, {_MOST} where it is exported.",
    ),
    click.option(
        "--export",
        type=click.Choice(["jsonl", "csv"]),
        help="Write rows as JSON lines or CSV to standard output, newest first.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def audit_options(function: _F) -> _F:
    """Gives a command the audit's options, as one argument `wanted`."""

    def take(
        *args: Any,
        event: tuple[str, ...],
        account: str | None,
        client_id: str | None,
        since: str | None,
        until: str | None,
        before: int | None,
        limit: int | None,
        export: str | None,
        as_json: bool,
        of_app: str | None = None,
        **kwargs: Any,
    ) -> Any:
        wanted = Wanted(
            event,
            account,
            client_id,
            of_app,
            since,
            until,
            before,
            limit,
            export,
            as_json,
        )
        return function(*args, wanted=wanted, **kwargs)

    take.__name__, take.__doc__ = function.__name__, function.__doc__
    take.__click_params__ = list(getattr(function, "__click_params__", ()))  # type: ignore[attr-defined]
    command: Any = take
    for option in reversed(_OPTIONS):
        command = option(command)
    taken: _F = command
    return taken


def of_app_option(function: _F) -> _F:
    """Narrows an audit that covers several apps to one."""
    return click.option("--app", "of_app", metavar="ID", help="Only what befell this app.")(
        function
    )


@click.command("audit", cls=Verb)
@of_app_option
@audit_options
def everybody(wanted: Wanted) -> None:
    """List or export what was done on the whole platform, newest first."""
    show_audit(("operator", "audit"), wanted)


def show_audit(path: tuple[str, ...], wanted: Wanted) -> None:
    """List, or write as a file, the audit at a path of the API."""
    with signed_in() as api:
        if wanted.export is not None:
            _export(api, path, wanted, wanted.export)
            return
        found = _pages(api, path, wanted)
    listing(
        found,
        {
            "At": "at",
            "What": "event",
            "By": "account_email",
            "From": "address",
            "Why": "reason",
            "Subject": "subject",
            "Detail": "detail",
            "Id": "id",
        },
        as_json=wanted.as_json,
        empty="Nothing is recorded.",
    )


def _pages(api: Api, path: tuple[str, ...], wanted: Wanted) -> list[dict[str, Any]]:
    left, before = wanted.limit or _LISTED, wanted.before
    found: list[dict[str, Any]] = []
    while left > 0:
        page = api.get(*path, **wanted.filters, before=before, limit=min(left, _PAGE))
        found += page["items"]
        left -= len(page["items"])
        before = page["next"]
        if before is None:
            break
    return found


def _export(api: Api, path: tuple[str, ...], wanted: Wanted, kind: str) -> None:
    """Pass the file on as it comes; no row has a line end in it."""
    limit = wanted.limit or _MOST
    rows, last = 0, ""
    lines = api.lines(
        *path, "export", **wanted.filters, before=wanted.before, limit=limit, format=kind
    )
    for number, line in enumerate(lines):
        click.echo(line)
        if kind == "jsonl" or number > 0:
            rows, last = rows + 1, line
    if rows == limit:
        item = json.loads(last)["id"] if kind == "jsonl" else last.partition(",")[0]
        note_line(f"{rows} rows, as many as were asked for. To go on: --before {item}")
