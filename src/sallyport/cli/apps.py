"""`register`, and `apps`: the apps you build and who builds them with you."""

from __future__ import annotations

from pathlib import Path

import click

from sallyport.cli.audit import Wanted, audit_options, show_audit
from sallyport.cli.client import Api, signed_in
from sallyport.cli.failures import Failed
from sallyport.cli.folder import MANIFEST, app_id, manifest_bytes, written_app_id
from sallyport.cli.lazy import Noun, Verb
from sallyport.cli.options import app_option, asked, json_option
from sallyport.cli.terminal import done, json_text, listing, note, say
from sallyport.vocab.errors import Refused
from sallyport.vocab.ids import app_ari, new_id


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
    # Tried before there is an app, so that none is left behind that no manifest names.
    with_id(manifest, app_ari(new_id()))
    with signed_in() as api:
        if taken is not None and is_mine(api, taken):
            raise Failed(
                f"The app in this folder is registered already: {app_ari(taken)}.",
                fix=f"To register a new app from this folder, remove app.id from {MANIFEST} first.",
            )
        made = api.post("apps", json={"name": asked(name, "NAME", "Name of the app", ask=True)})
    Path(MANIFEST).write_bytes(with_id(manifest, str(made["ari"])))
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


@apps.group("members", cls=Noun)
def members() -> None:
    """Who builds the app."""


@members.command("list")
@app_option
@json_option
def list_members(app: str | None, as_json: bool) -> None:
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


@members.command("set")
@click.argument("account", metavar="EMAIL")
@click.option(
    "--role", type=click.Choice(["admin", "contributor"]), default="contributor", show_default=True
)
@app_option
@json_option
def set_member(account: str, role: str, app: str | None, as_json: bool) -> None:
    """Let somebody build the app, or change their role. EMAIL may be an account id."""
    app = app_id(app)
    with signed_in() as api:
        answer = api.put("apps", app, "members", account, json={"role": role})
    if as_json:
        click.echo(json_text(answer))
        return
    done(f"{account} is {role} of the app")


@members.command("remove")
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


def with_id(manifest: bytes, ari: str) -> bytes:
    """The manifest with this app id; every other byte stays. Raises `Failed`."""
    from sallyport.manifest.write import with_app_id

    try:
        return with_app_id(manifest, ari)
    except Refused as refused:
        raise Failed(refused.detail, fix=refused.fix) from None


@apps.command("audit")
@app_option
@audit_options
def audit(app: str | None, wanted: Wanted) -> None:
    """List or export what befell an app; of customers' sites without the people there."""
    show_audit(("apps", app_id(app), "audit"), wanted)
