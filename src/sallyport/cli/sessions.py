"""`sessions`: the browsers in which you are signed in."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.options import json_option
from sallyport.cli.terminal import done, listing


@click.group(cls=Noun)
def sessions() -> None:
    """The browsers in which you are signed in."""


@sessions.command("list")
@json_option
def list_sessions(as_json: bool) -> None:
    """List where you are signed in, and when each session was last used."""
    with signed_in() as api:
        found = api.items("me", "sessions")
    listing(
        found,
        {
            "Browser": "browser",
            "Address": "address",
            "Signed in": "started_at",
            "Last used": "last_used_at",
            "Id": "id",
        },
        as_json=as_json,
        empty="You are signed in in no browser.",
    )


@sessions.command("end")
@click.argument("session_id")
def end(session_id: str) -> None:
    """Sign out in one browser, by the session's id."""
    with signed_in() as api:
        api.delete("me", "sessions", session_id)
    done(f"Ended the session {session_id}")


@sessions.command("end-all")
def end_all() -> None:
    """Sign out in every browser; API tokens stay."""
    with signed_in() as api:
        api.delete("me", "sessions")
    done("Ended every session")
