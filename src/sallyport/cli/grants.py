"""`grants`: what you have consented to."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.options import json_option
from sallyport.cli.terminal import done, listing


@click.group(cls=Noun)
def grants() -> None:
    """What you have consented to."""


@grants.command("list")
@json_option
def list_grants(as_json: bool) -> None:
    """List which integrations may act as you, where, and with which scopes."""
    with signed_in() as api:
        found = api.items("grants")
    listing(
        found,
        {
            "Integration": "integration_name",
            "App": "app_name",
            "Environment": "environment",
            "Site": "host",
            "Scopes": "scopes",
            "Since": "created_at",
            "Last token": "last_token_at",
            "Grant id": "grant_id",
        },
        as_json=as_json,
        empty="You have consented to nothing.",
    )


@grants.command("revoke")
@click.argument("grant_id")
def revoke(grant_id: str) -> None:
    """End a consent; its tokens are refused from the next call on."""
    with signed_in() as api:
        api.delete("grants", grant_id)
    done(f"Ended the consent {grant_id}")
