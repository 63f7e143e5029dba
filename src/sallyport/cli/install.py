"""`install`, `uninstall`: an app environment on one product of one site."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.client import Api, Refusal, signed_in
from sallyport.cli.failures import Failed
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun, Verb
from sallyport.cli.options import (
    app_option,
    asked,
    confirm,
    environment_option,
    json_option,
    non_interactive_option,
    yes_option,
)
from sallyport.cli.terminal import done, interactive, listing, note, table

_COLUMNS = {
    "App": "app_name",
    "Environment": "environment",
    "Site": "host",
    "Product": "product",
    "Version": "version",
    "Newest": "newest_version",
    "REST APIs on": "rest_apis_enabled",
    "Installation id": "installation_id",
}


@click.group(cls=Noun, invoke_without_command=True)
@environment_option
@click.option("-s", "--site", metavar="SITE", help="The site's host or cloud id.")
@click.option("-p", "--product", metavar="PRODUCT", help="The product, for example jira.")
@click.option(
    "--upgrade",
    is_flag=False,
    flag_value="all",
    type=click.Choice(["all", "code"]),
    help="Move the installation to the newest major version; both values mean the same here.",
)
@click.option("--confirm-scopes", is_flag=True, help="Agree to the app's scopes without asking.")
@app_option
@non_interactive_option
@click.pass_context
def install(
    ctx: click.Context,
    environment: str,
    site: str | None,
    product: str | None,
    upgrade: str | None,
    confirm_scopes: bool,
    app: str | None,
    non_interactive: bool,
) -> None:
    """Install the app on a site, or upgrade it there.

    Only an admin of the site may. REST APIs stay off until an admin turns them on.
    """
    if ctx.invoked_subcommand is not None:
        return
    app, ask = app_id(app), not non_interactive
    with signed_in() as api:
        site, product = _where(api, site, product, ask=ask)
        if upgrade is not None:
            found = _installation(api, app, environment, site, product)
            _show(api.post("installations", found, "upgrade"), "Upgraded")
            return
        if ask and interactive() and not confirm_scopes:
            _show_scopes(api, app, environment)
            confirm(f"Installs the app for {product} on {site}.", yes=False)
        made = api.post(
            "installations",
            json={"app_id": app, "environment": environment, "site": site, "product": product},
        )
    _show(made, "Installed")
    note("REST APIs are off there until an admin turns them on:")
    where = f"--site {made['host']} --app {app} -e {environment}"
    note(f"  sallyport admin rest-apis enable {where}")


@install.command("list")
@click.option("-e", "--environment", metavar="NAME", help="Only this environment.")
@click.option("-s", "--site", metavar="SITE", help="Only this site.")
@app_option
@json_option
def list_installations(
    environment: str | None, site: str | None, app: str | None, as_json: bool
) -> None:
    """List where the app is installed."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items("installations", app_id=app, environment=environment, site=site)
    listing(found, _COLUMNS, as_json=as_json, empty="The app is not installed anywhere.")


@click.command(cls=Verb)
@environment_option
@click.option("-s", "--site", metavar="SITE", help="The site's host or cloud id.")
@click.option("-p", "--product", metavar="PRODUCT", help="The product, for example jira.")
@click.option("-i", "--installation-id", metavar="ID", help="The installation, by its id.")
@app_option
@yes_option
def uninstall(
    environment: str,
    site: str | None,
    product: str | None,
    installation_id: str | None,
    app: str | None,
    yes: bool,
) -> None:
    """Take the app away from a site, with the data that it stored there."""
    wanted = app_id(app) if installation_id is None else ""
    with signed_in() as api:
        where = f"installation {installation_id}"
        if installation_id is None:
            site, product = _where(api, site, product, ask=True)
            installation_id = _installation(api, wanted, environment, site, product)
            where = f"{product} on {site}"
        confirm(f"Takes the app away from {where}; its data and consents there end.", yes=yes)
        api.delete("installations", installation_id)
    done(f"Uninstalled from {where}")


def _where(api: Api, site: str | None, product: str | None, *, ask: bool) -> tuple[str, str]:
    if site is None and ask and interactive():
        mine = [str(each["host"]) for each in api.items("sites")]
        if len(mine) == 1:
            site = mine[0]
            note(f"Site: {site}")
        elif mine:
            note("Your sites: " + ", ".join(mine))
    site = asked(site, "--site", "Site", ask=ask)
    return site, asked(product, "--product", "Product", ask=ask)


def _installation(api: Api, app: str, environment: str, site: str, product: str) -> str:
    for each in api.items("installations", app_id=app, environment=environment, site=site):
        if each.get("product") == product:
            return str(each["installation_id"])
    raise Failed(
        f"The app's {environment} environment is not installed for {product} on {site}.",
        fix="`sallyport install list` shows where it is.",
    )


def _show_scopes(api: Api, app: str, environment: str) -> None:
    try:
        scopes = api.items("apps", app, "environments", environment, "custom-scopes")
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        # Who neither builds the app nor has it installed is not told its scopes.
        return
    table(
        ("Scope", "Opens"),
        [(each["name"], each.get("description")) for each in scopes],
        empty="The app has no custom scopes.",
    )


def _show(installation: dict[str, Any], what: str) -> None:
    each = installation
    version = f" {each['version']}" if each.get("version") else ""
    done(
        f"{what} {each['app_name']}{version} ({each['environment']}) "
        f"for {each['product']} on {each['host']}"
    )
