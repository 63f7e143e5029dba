"""`environments`: create, list, delete."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import (
    app_option,
    confirm,
    environments_option,
    json_option,
    non_interactive_option,
    yes_option,
)
from sallyport.cli.terminal import done, listing


@click.group(cls=Noun)
def environments() -> None:
    """An app's environments: development, staging, production and your own."""


@environments.command("create")
@environments_option
@app_option
@non_interactive_option
def create(names: tuple[str, ...], app: str | None, non_interactive: bool) -> None:
    """Make an environment of the development kind."""
    app = app_id(app)
    with signed_in() as api:
        for name in names:
            made = api.post("apps", app, "environments", json={"key": name})
            done(f"Created the environment {made['key']} ({made['environment_id']})")


@environments.command("list")
@app_option
@json_option
def list_environments(app: str | None, as_json: bool) -> None:
    """List the app's environments with their ids."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items("apps", app, "environments")
    if not as_json:
        done("Environments fetched")
    listing(
        found,
        {
            "Name": "key",
            "Type": "type",
            "Live version": "live_version",
            "Created": "created_at",
            "Id": "environment_id",
        },
        as_json=as_json,
        empty="The app has no environments.",
    )


@environments.command("delete")
@environments_option
@app_option
@yes_option
def delete(names: tuple[str, ...], app: str | None, yes: bool) -> None:
    """Delete environments with all that is in them.

    Installations end with their stored data, and so do custom scopes, variables and consents. The
    built-in environments stay.
    """
    app = app_id(app)
    confirm(f"Deletes {', '.join(names)} with all installations, data, scopes, consents.", yes=yes)
    with signed_in() as api:
        for name in names:
            api.delete("apps", app, "environments", name)
            done(f"Deleted the environment {name}")
