"""`api-tokens`: the secrets that scripts and CI sign in with."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.options import json_option
from sallyport.cli.terminal import done, json_text, listing, note, say


@click.group(cls=Noun)
def api_tokens() -> None:
    """Your API tokens, for scripts and CI."""


@api_tokens.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List your API tokens; the tokens themselves are never shown again."""
    with signed_in() as api:
        found = api.items("me", "api-tokens")
    listing(
        found,
        {"Id": "id", "Label": "label", "Created": "created_at"},
        as_json=as_json,
        empty="You have no API tokens.",
    )


@api_tokens.command("create")
@click.argument("label")
@json_option
def create_token(label: str, as_json: bool) -> None:
    """Make an API token and print it, this once."""
    with signed_in() as api:
        made = api.post("me", "api-tokens", json={"label": label})
    if as_json:
        click.echo(json_text(made))
        return
    say(str(made["token"]))
    note("Keep it now: it is not shown again. Set it as SALLYPORT_API_TOKEN.")


@api_tokens.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """End an API token by its id."""
    with signed_in() as api:
        api.delete("me", "api-tokens", token_id)
    done(f"Revoked the API token {token_id}")
