"""`approvals`: what integrations ask a site's admins for, and their answers."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import (
    app_option,
    confirm,
    environment_option,
    json_option,
    site_option,
    yes_option,
)
from sallyport.cli.terminal import done, json_text, listing

_reason_option = click.option(
    "--reason", default="", help="Why; who asked reads it. A refusal needs one."
)


@click.group(cls=Noun)
def approvals() -> None:
    """What integrations may use on a site, scope by scope, for the site's admins."""


@approvals.command("list")
@site_option
@click.option("--all", "everything", is_flag=True, help="Show what was answered too.")
@json_option
def list_approvals(site: str, everything: bool, as_json: bool) -> None:
    """List what waits for an answer, oldest first."""
    with signed_in() as api:
        found = api.get(*_path(site), state="all" if everything else "pending")
    if as_json:
        click.echo(json_text(found))
        return
    rows = [
        {**each, "scopes": [f"{scope['scope']} ({scope['state']})" for scope in each["scopes"]]}
        for each in found["items"]
    ]
    required = "New links wait" if found["required"] else "New links do not wait"
    listing(
        rows,
        {
            "Id": "id",
            "Integration": "integration_name",
            "App": "app_name",
            "Environment": "environment",
            "Scopes": "scopes",
            "Asked by": "asked_by",
            "Note": "note",
            "Reason": "reason",
        },
        as_json=False,
        empty=f"Nothing waits. {required} for an admin on this site.",
    )


@approvals.command("require")
@click.argument("state", type=click.Choice(["on", "off"]))
@site_option
@_reason_option
def require(state: str, site: str, reason: str) -> None:
    """Have new links of integrations wait for an admin, or no more."""
    with signed_in() as api:
        found = api.put(*_path(site), json={"required": state == "on", "reason": reason})
    wait = "wait for an admin" if found["required"] else "need no approval"
    done(f"New links on {site} {wait}; links that exist stay as they are")


@approvals.command("answer")
@click.argument("approval_id")
@site_option
@click.option(
    "--approve",
    "approved",
    metavar="SCOPE",
    multiple=True,
    help="A scope to approve; may be given several times. The others are refused.",
)
@_reason_option
@json_option
def answer(
    approval_id: str, site: str, approved: tuple[str, ...], reason: str, as_json: bool
) -> None:
    """Approve the scopes given with --approve, and refuse the others."""
    with signed_in() as api:
        settled = api.put(
            *_path(site), approval_id, json={"approved": list(approved), "reason": reason}
        )
    if as_json:
        click.echo(json_text(settled))
        return
    for each in settled["scopes"]:
        done(f"{each['scope']}: {each['state']}")


@approvals.command("take-back")
@click.argument("client_id")
@site_option
@environment_option
@click.option(
    "--scope", "scopes", metavar="SCOPE", multiple=True, required=True, help="A scope to take back."
)
@click.option("--reason", required=True, help="Why; the owner of the integration reads it.")
@app_option
@yes_option
def take_back(
    client_id: str,
    site: str,
    environment: str,
    scopes: tuple[str, ...],
    reason: str,
    app: str | None,
    yes: bool,
) -> None:
    """Take scopes back from an integration or a service account; the next call is refused."""
    app = app_id(app)
    confirm(f"Takes {', '.join(scopes)} from {client_id} on {site}.", yes=yes)
    with signed_in() as api:
        api.post(
            "admin",
            "sites",
            site,
            "integrations",
            client_id,
            "take-back",
            json={
                "app_id": app,
                "environment": environment,
                "scopes": list(scopes),
                "reason": reason,
            },
        )
    done(f"Took back {', '.join(scopes)}; the next call is refused")


def _path(site: str) -> tuple[str, ...]:
    return ("admin", "sites", site, "approvals")
