"""`operator keys`: the keys that sign access tokens."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.options import confirm, json_option, yes_option
from sallyport.cli.terminal import done, json_text, listing


@click.group(cls=Noun)
def keys() -> None:
    """The keys that sign access tokens; they also rotate by themselves."""


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys that verify tokens now, in the order in which they sign."""
    with signed_in() as api:
        found = api.items("operator", "keys")
    listing(
        found,
        {"Key": "kid", "Signs from": "signs_from", "Retires at": "retires_at"},
        as_json=as_json,
        empty="There are no keys.",
    )


@keys.command("rotate")
@click.option("--now", is_flag=True, help="Sign with the new key at once, without a lead.")
@json_option
def rotate(now: bool, as_json: bool) -> None:
    """Make the next signing key; tokens of the one before stay valid until they end."""
    with signed_in() as api:
        made = api.post("operator", "keys", json={"now": now})
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Key {made['kid']} signs from {made['signs_from']}")


@keys.command("retire")
@click.argument("kid")
@yes_option
def retire(kid: str, yes: bool) -> None:
    """Take a key out at once, because others may know it: its tokens are refused from now on."""
    confirm(f"Ends every access token that {kid} signed.", yes=yes)
    with signed_in() as api:
        api.delete("operator", "keys", kid)
    done(f"Retired the key {kid}")
