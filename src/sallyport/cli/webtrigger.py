"""`webtrigger`: URLs that run a function of an installed app, contract section (j)."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.client import Api, signed_in
from sallyport.cli.failures import Failed
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import (
    app_option,
    asked,
    confirm,
    environment_option,
    json_option,
    yes_option,
)
from sallyport.cli.terminal import done, interactive, json_text, listing, note

_COLUMNS = {
    "Trigger": "key",
    "Function": "function",
    "Site": "host",
    "Product": "product",
    "Response": "response",
    "URL": "url",
    "Id": "id",
}


@click.group(cls=Noun)
def webtrigger() -> None:
    """URLs of web triggers: whoever knows one may call it. For admins of the site."""


@webtrigger.command("create")
@click.option(
    "-f",
    "--functionKey",
    "key",
    metavar="KEY",
    help="The web trigger's key, or that of the function which it runs.",
)
@click.option("-s", "--site", metavar="SITE", help="The site's host or cloud id.")
@click.option("-p", "--product", metavar="PRODUCT", help="The product, for example jira.")
@environment_option
@app_option
@json_option
def create(
    key: str | None,
    site: str | None,
    product: str | None,
    environment: str,
    app: str | None,
    as_json: bool,
) -> None:
    """Print the URL of a web trigger; it is made where there is none yet.

    It lets in whoever knows it, without signing in: hand it on as you would a password.
    """
    app = app_id(app)
    with signed_in() as api:
        found = _installations(api, app, environment, site, product)
        if len(found) != 1:
            places = ", ".join(f"{each['host']} {each['product']}" for each in found)
            raise Failed(
                f"The app's {environment} environment is installed in {len(found)} such places"
                f"{': ' + places if places else ''}.",
                fix="Choose one with --site and --product."
                if found
                else "Install it first: `sallyport install`.",
            )
        installation = str(found[0]["installation_id"])
        if key is None:
            keys = [str(each["key"]) for each in _of(api, installation)]
            if interactive():
                note("Web triggers: " + (", ".join(keys) or "none"))
            key = keys[0] if len(keys) == 1 else None
        key = asked(key, "--functionKey", "Web trigger", ask=True)
        made = api.post("installations", installation, "web-triggers", json={"key": key})
    click.echo(json_text(made) if as_json else made["url"])


@webtrigger.command("list")
@click.option("-f", "--functionKey", "key", metavar="KEY", help="Only this trigger or function.")
@click.option("-s", "--site", metavar="SITE", help="Only this site.")
@click.option("-p", "--product", metavar="PRODUCT", help="Only this product.")
@environment_option
@app_option
@json_option
def list_triggers(
    key: str | None,
    site: str | None,
    product: str | None,
    environment: str,
    app: str | None,
    as_json: bool,
) -> None:
    """List web triggers and the URLs that were made."""
    app = app_id(app)
    with signed_in() as api:
        lines = [
            line
            for each in _installations(api, app, environment, site, product)
            for line in _of(api, str(each["installation_id"]))
            if key is None or key in (line["key"], line["function"])
        ]
    listing(lines, _COLUMNS, as_json=as_json, empty="There are no web triggers there.")


@webtrigger.command("delete")
@click.option("-i", "--id", "trigger", metavar="ID", required=True, help="The id that list shows.")
@yes_option
def delete(trigger: str, yes: bool) -> None:
    """End a URL at once; one that is made later is another."""
    confirm("Ends the URL; who calls it is refused from now on.", yes=yes)
    with signed_in() as api:
        api.delete("web-triggers", trigger)
    done("Ended the web trigger's URL")


def _installations(
    api: Api, app: str, environment: str, site: str | None, product: str | None
) -> list[dict[str, Any]]:
    found = api.items("installations", app_id=app, environment=environment, site=site)
    return [each for each in found if product is None or each["product"] == product]


def _of(api: Api, installation: str) -> list[dict[str, Any]]:
    return api.items("installations", installation, "web-triggers")
