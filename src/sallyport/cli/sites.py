"""`sites`: the sites that you are a member of."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.options import json_option
from sallyport.cli.terminal import listing


@click.group(cls=Noun)
def sites() -> None:
    """Your sites."""


@sites.command("list")
@json_option
def list_sites(as_json: bool) -> None:
    """List your sites with their cloud ids and what you are there."""
    with signed_in() as api:
        found = api.items("sites")
    listing(
        found,
        {"Host": "host", "Name": "name", "Role": "role", "Cloud id": "site_id"},
        as_json=as_json,
        empty="You are not a member of any site. The operator or a site's admin adds you.",
    )
