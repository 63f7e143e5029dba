"""`register`, and `apps`: the apps you build and who builds them with you."""

from __future__ import annotations

from pathlib import Path

import click

from sallyport.cli.client import Api, signed_in
from sallyport.cli.failures import Failed
from sallyport.cli.folder import MANIFEST, app_id, manifest_bytes, written_app_id
from sallyport.cli.lazy import Noun, Verb
from sallyport.cli.options import app_option, asked, json_option
from sallyport.cli.terminal import done, json_text, listing, note, say
from sallyport.vocab.ids import app_ari


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option("-y", "--accept-terms", is_flag=True, hidden=True)
def register(name: str | None, accept_terms: bool) -> None:
    """Register the app in this folder.

    Makes the app on the platform, with you as its admin, and writes its id into manifest.yml. The
    file keeps its comments and its form.
    """
    manifest = manifest_bytes()
    taken = written_app_id(manifest)
    with signed_in() as api:
        if taken is not None and is_mine(api, taken):
            raise Failed(
                f"The app in this folder is registered already: {app_ari(taken)}.",
                fix=f"To register a new app from this folder, remove app.id from {MANIFEST} first.",
            )
        made = api.post("apps", json={"name": asked(name, "NAME", "Name of the app", ask=True)})
    write_app_id(Path(MANIFEST), manifest, str(made["ari"]))
    done(f"Registered {made['name']}")
    say(f"App id: {made['ari']}")
    if taken is not None:
        note(f"It replaces {app_ari(taken)}, which is not among your apps here.")
    note(f"{MANIFEST} names it now. Next: sallyport custom-scopes create")


@click.group(cls=Noun)
def apps() -> None:
    """Your apps and who builds them."""


@apps.command("list")
@json_option
def list_apps(as_json: bool) -> None:
    """List the apps that you build."""
    with signed_in() as api:
        found = api.items("apps")
    listing(
        found,
        {"Name": "name", "Your role": "role", "App id": "app_id"},
        as_json=as_json,
        empty="You build no app. `sallyport create` makes one.",
    )


@apps.command("members")
@app_option
@json_option
def members(app: str | None, as_json: bool) -> None:
    """List who builds the app."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items("apps", app, "members")
    listing(
        found,
        {"Email": "email", "Name": "name", "Role": "role", "Account id": "account_id"},
        as_json=as_json,
        empty="Nobody builds this app.",
    )


@apps.command("add-member")
@click.argument("account", metavar="EMAIL")
@click.option("--role", type=click.Choice(["admin", "contributor"]), default="contributor")
@app_option
@json_option
def add_member(account: str, role: str, app: str | None, as_json: bool) -> None:
    """Let somebody build the app, or change their role. EMAIL may be an account id."""
    app = app_id(app)
    with signed_in() as api:
        answer = api.put("apps", app, "members", account, json={"role": role})
    if as_json:
        click.echo(json_text(answer))
        return
    done(f"{account} is {role} of the app")


@apps.command("remove-member")
@click.argument("account", metavar="EMAIL")
@app_option
def remove_member(account: str, app: str | None) -> None:
    """Take somebody off the app."""
    app = app_id(app)
    with signed_in() as api:
        api.delete("apps", app, "members", account)
    done(f"{account} no longer builds the app")


def is_mine(api: Api, app: str) -> bool:
    """Whether the platform has this app among the ones that the account builds.

    An id that came with a copied folder is somebody else's or another platform's.
    """
    return any(each.get("app_id") == app for each in api.items("apps"))


def write_app_id(path: Path, manifest: bytes, ari: str) -> None:
    """Puts the app id into the manifest; every other byte stays."""
    from sallyport.manifest.write import with_app_id

    path.write_bytes(with_app_id(manifest, ari))
