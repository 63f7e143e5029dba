"""`service-accounts`: machines that call an app for themselves, by client credentials."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.client import signed_in
from sallyport.cli.folder import app_id
from sallyport.cli.key_files import jwks_option, names_of_keys, require_one
from sallyport.cli.lazy import Noun
from sallyport.cli.options import (
    app_option,
    confirm,
    environment_option,
    json_option,
    site_option,
    yes_option,
)
from sallyport.cli.terminal import done, json_text, listing, pairs, say
from sallyport.cli.terminal import note as note_line

_REQUESTS = ("service-accounts", "requests")
_scope_option = click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    required=True,
    help="A custom scope that it may use; may be given several times.",
)


@click.group(cls=Noun)
def service_accounts() -> None:
    """Machines that call an app on a site without a person. Admins make them, members ask."""


@service_accounts.command("create")
@click.argument("name")
@site_option
@environment_option
@_scope_option
@jwks_option
@app_option
@json_option
def create(
    name: str,
    site: str,
    environment: str,
    scopes: tuple[str, ...],
    jwks: dict[str, Any] | None,
    app: str | None,
    as_json: bool,
) -> None:
    """Make a service account for an app installed on a site.

    The client secret is printed once; with --jwks there is none.
    """
    app = app_id(app)
    with signed_in() as api:
        made = api.post(
            *_path(site),
            json={
                "name": name,
                "app_id": app,
                "environment": environment,
                "scopes": list(scopes),
                "jwks": jwks,
            },
        )
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Created the service account {made['name']}")
    _show(made)
    if made.get("client_secret"):
        note_line("Keep the client secret now: it is not shown again.")


@service_accounts.command("request")
@click.argument("name")
@site_option
@environment_option
@_scope_option
@click.option("--note", default="", help="What it is for; the site's admins read it.")
@app_option
@json_option
def request(
    name: str,
    site: str,
    environment: str,
    scopes: tuple[str, ...],
    note: str,
    app: str | None,
    as_json: bool,
) -> None:
    """Ask a site's admins for a service account.

    When it is approved, `sallyport service-accounts secret` prints its secret, once.
    """
    app = app_id(app)
    with signed_in() as api:
        asked = api.post(
            *_REQUESTS,
            json={
                "name": name,
                "site": site,
                "app_id": app,
                "environment": environment,
                "scopes": list(scopes),
                "note": note,
            },
        )
    if as_json:
        click.echo(json_text(asked))
        return
    done(f"Asked the admins of {asked['site_host']} for {asked['name']}, {asked['client_id']}")
    note_line("`sallyport service-accounts requests` shows their answer.")


@service_accounts.command("requests")
@json_option
def requests(as_json: bool) -> None:
    """List what you asked for and how it stands."""
    with signed_in() as api:
        found = api.items(*_REQUESTS)
    rows = [
        {
            **each,
            "scopes": [f"{scope['scope']} ({scope['state']})" for scope in each["scopes"]],
            "state": f"{each['state']}, take the secret" if each["secret_waits"] else each["state"],
        }
        for each in found
    ]
    listing(
        found if as_json else rows,
        {
            "Name": "name",
            "State": "state",
            "Reason": "reason",
            "Site": "site_host",
            "App": "app_name",
            "Environment": "environment",
            "Scopes": "scopes",
            "Client id": "client_id",
        },
        as_json=as_json,
        empty="You asked for none. `sallyport service-accounts request` asks a site's admins.",
    )


@service_accounts.command("secret")
@click.argument("client_id")
@json_option
def secret(client_id: str, as_json: bool) -> None:
    """Print the secret of a service account that you asked for, once, when it is approved."""
    with signed_in() as api:
        told = api.post(*_REQUESTS, client_id, "secret")
    if as_json:
        click.echo(json_text(told))
        return
    say(str(told["client_secret"]))
    note_line("Keep the client secret now: it is not shown again.")


@service_accounts.command("withdraw")
@click.argument("client_id")
def withdraw(client_id: str) -> None:
    """Take a request back while it waits for an answer."""
    with signed_in() as api:
        api.delete(*_REQUESTS, client_id)
    done(f"Withdrew the request {client_id}")


@service_accounts.command("list")
@site_option
@json_option
def list_service_accounts(site: str, as_json: bool) -> None:
    """List the service accounts of a site."""
    with signed_in() as api:
        found = api.items(*_path(site))
    listing(
        found,
        {
            "Name": "name",
            "Client id": "client_id",
            "App": "app_name",
            "Environment": "environment",
            "Scopes": "scopes",
        },
        as_json=as_json,
        empty="The site has no service accounts. `sallyport service-accounts create` makes one.",
    )


@service_accounts.command("show")
@click.argument("client_id")
@site_option
@json_option
def show(client_id: str, site: str, as_json: bool) -> None:
    """Show a service account: its app, scopes and base URLs."""
    with signed_in() as api:
        found = api.get(*_path(site), client_id)
    if as_json:
        click.echo(json_text(found))
    else:
        _show(found)


@service_accounts.command("rotate-secret")
@click.argument("client_id")
@site_option
@click.option("--end-previous", is_flag=True, help="End the older of the two secrets instead.")
@json_option
def rotate_secret(client_id: str, site: str, end_previous: bool, as_json: bool) -> None:
    """Make a second secret, or end the one before it."""
    with signed_in() as api:
        if end_previous:
            api.delete(*_path(site), client_id, "secrets", "previous")
            done(f"Ended the previous secret of {client_id}")
            return
        made = api.post(*_path(site), client_id, "secrets")
    if as_json:
        click.echo(json_text(made))
        return
    say(str(made["client_secret"]))
    note_line(
        "Keep it now: it is not shown again. When it is in use everywhere, end the one before:"
    )
    note_line(f"  sallyport service-accounts rotate-secret {client_id} -s {site} --end-previous")


@service_accounts.command("set-keys")
@click.argument("client_id")
@site_option
@jwks_option
@click.option("--none", "no_keys", is_flag=True, help="Take the keys away.")
@json_option
def set_keys(
    client_id: str, site: str, jwks: dict[str, Any] | None, no_keys: bool, as_json: bool
) -> None:
    """Have it sign in by public keys (private_key_jwt), and by no secret.

    With --none it signs in no more, until rotate-secret gives it a secret.
    """
    require_one(jwks, no_keys)
    with signed_in() as api:
        if no_keys:
            api.delete(*_path(site), client_id, "keys")
            done(f"Took the keys of {client_id} away")
            return
        found = api.put(*_path(site), client_id, "keys", json=jwks)
    if as_json:
        click.echo(json_text(found))
        return
    done(f"{client_id} signs in by {names_of_keys(found)}")


@service_accounts.command("revoke")
@click.argument("client_id")
@site_option
@yes_option
def revoke(client_id: str, site: str, yes: bool) -> None:
    """End a service account; its tokens open nothing from now on."""
    confirm(f"Ends {client_id} and all its tokens for good.", yes=yes)
    with signed_in() as api:
        api.delete(*_path(site), client_id)
    done(f"Ended the service account {client_id}")


def _path(site: str) -> tuple[str, ...]:
    return ("admin", "sites", site, "service-accounts")


def _show(account: dict[str, Any]) -> None:
    rows: list[tuple[str, object]] = [
        ("Name", account["name"]),
        ("Client id", account["client_id"]),
    ]
    if account.get("client_secret"):
        rows.append(("Client secret", account["client_secret"]))
    if account["keys"]:
        rows.append(("Signs in by", names_of_keys(account)))
    rows += [
        ("App", f"{account['app_id']} ({account['environment']})"),
        ("Scopes", [*account["scopes"], *account["product_scopes"]]),
        ("Base URLs", account["base_urls"]),
    ]
    pairs(rows)
