"""`operator integrations`: which integrations the operator vouches for."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Noun
from sallyport.cli.terminal import done


@click.group(cls=Noun)
def integrations() -> None:
    """Integrations that you vouch for; people see it where they are asked for consent."""


@integrations.command("verify")
@click.argument("client_id")
def verify(client_id: str) -> None:
    """Vouch for an integration, until its name or a callback URL changes."""
    with signed_in() as api:
        api.put("operator", "integrations", client_id, "verified")
    done(f"Verified the integration {client_id}")


@integrations.command("unverify")
@click.argument("client_id")
def unverify(client_id: str) -> None:
    """Vouch for an integration no more."""
    with signed_in() as api:
        api.delete("operator", "integrations", client_id, "verified")
    done(f"The integration {client_id} is unverified")
