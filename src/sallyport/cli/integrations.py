"""`integrations`: OAuth clients, the app environments they are linked to, their secrets."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.client import Api, signed_in
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
from sallyport.cli.terminal import done, json_text, listing, note, pairs, say
from sallyport.model.access import product_scope
from sallyport.model.approval import ScopeState

_scope_option = click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    required=True,
    help="A custom scope that it may ask for; may be given several times.",
)
_product_scope_option = click.option(
    "--product-scope",
    "product_scopes",
    metavar="SCOPE",
    multiple=True,
    help="A product scope; by default those of the products that the app is installed for.",
)
_optional_scope_option = click.option(
    "--optional-scope",
    "optional_scopes",
    metavar="SCOPE",
    multiple=True,
    help="One of these scopes that people may leave out when they allow it.",
)

_note_option = click.option(
    "--note", "words", default="", help="Words for the site's admins, where they approve links."
)


@click.group(cls=Noun)
def integrations() -> None:
    """OAuth clients that call apps, also known as 3LO integrations."""


@integrations.command("list")
@json_option
def list_integrations(as_json: bool) -> None:
    """List your integrations."""
    with signed_in() as api:
        found = api.items("integrations")
    if as_json:
        click.echo(json_text(found))
        return
    rows = [
        {
            **each,
            "linked": sorted({f"{link['host']} {link['environment']}" for link in each["links"]}),
        }
        for each in found
    ]
    listing(
        rows,
        {"Name": "name", "Client id": "client_id", "Linked to": "linked"},
        as_json=False,
        empty="You have no integrations. `sallyport integrations create` makes one.",
    )


@integrations.command("create")
@click.argument("name")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    metavar="URI",
    multiple=True,
    required=True,
    help="Where the browser returns with the code; may be given several times.",
)
@click.option("--public", is_flag=True, help="A client that can keep no secret, such as an app.")
@click.option(
    "--forge-compatible",
    is_flag=True,
    help="A client written for Forge, which sends no PKCE challenge.",
)
@click.option(
    "--require-par", is_flag=True, help="It pushes its authorization requests (RFC 9126)."
)
@click.option("--require-dpop", is_flag=True, help="It gets no bearer tokens (RFC 9449).")
@jwks_option
@site_option
@environment_option
@_scope_option
@_product_scope_option
@_optional_scope_option
@_note_option
@app_option
@json_option
def create(
    name: str,
    redirect_uris: tuple[str, ...],
    public: bool,
    forge_compatible: bool,
    require_par: bool,
    require_dpop: bool,
    jwks: dict[str, Any] | None,
    site: str,
    environment: str,
    scopes: tuple[str, ...],
    product_scopes: tuple[str, ...],
    optional_scopes: tuple[str, ...],
    words: str,
    app: str | None,
    as_json: bool,
) -> None:
    """Make an integration, linked to an app installed on a site.

    The client secret is printed once. Authorization requests need PKCE (S256), unless the
    integration is Forge-compatible.
    """
    app = app_id(app)
    with signed_in() as api:
        link = {
            **_link(api, site, app, environment, scopes, product_scopes, optional_scopes),
            "note": words,
        }
        made = api.post(
            "integrations",
            json={
                "name": name,
                "redirect_uris": list(redirect_uris),
                "link": link,
                "public": public,
                "forge_compatible": forge_compatible,
                "require_par": require_par,
                "require_dpop": require_dpop,
                "jwks": jwks,
            },
        )
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Created the integration {made['name']}")
    _show(made)
    _tell_what_waits(made)
    if made.get("client_secret"):
        note("Keep the client secret now: it is not shown again.")


@integrations.command("show")
@click.argument("client_id")
@json_option
def show(client_id: str, as_json: bool) -> None:
    """Show an integration: links, base URLs, authorization URLs."""
    with signed_in() as api:
        found = api.get("integrations", client_id)
    if as_json:
        click.echo(json_text(found))
    else:
        _show(found)


@integrations.command("change")
@click.argument("client_id")
@click.option("--name", help="Another name.")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    metavar="URI",
    multiple=True,
    help="The callback URLs from now on, instead of those before; may be given several times.",
)
@click.option(
    "--require-par/--no-require-par",
    default=None,
    help="Whether it pushes its authorization requests from now on (RFC 9126).",
)
@click.option(
    "--require-dpop/--no-require-dpop",
    default=None,
    help="Whether it gets no bearer tokens from now on (RFC 9449).",
)
@json_option
def change(
    client_id: str,
    name: str | None,
    redirect_uris: tuple[str, ...],
    require_par: bool | None,
    require_dpop: bool | None,
    as_json: bool,
) -> None:
    """Change an integration; what is not given stays."""
    wanted = {
        "name": name,
        "redirect_uris": list(redirect_uris) or None,
        "require_par": require_par,
        "require_dpop": require_dpop,
    }
    with signed_in() as api:
        found = api.patch("integrations", client_id, json=wanted)
    if as_json:
        click.echo(json_text(found))
        return
    done(f"Changed the integration {found['name']}")
    _show(found)


@integrations.command("link")
@click.argument("client_id")
@site_option
@environment_option
@_scope_option
@_product_scope_option
@_optional_scope_option
@_note_option
@app_option
@json_option
def link(
    client_id: str,
    site: str,
    environment: str,
    scopes: tuple[str, ...],
    product_scopes: tuple[str, ...],
    optional_scopes: tuple[str, ...],
    words: str,
    app: str | None,
    as_json: bool,
) -> None:
    """Link an integration to an app, or set the scopes of the link."""
    app = app_id(app)
    with signed_in() as api:
        wanted = {
            **_link(api, site, app, environment, scopes, product_scopes, optional_scopes),
            "note": words,
        }
        found = api.put("integrations", client_id, "links", json=wanted)
    if as_json:
        click.echo(json_text(found))
        return
    done(f"Linked {client_id} to {environment} on {site}")
    _tell_what_waits(found)


@integrations.command("unlink")
@click.argument("client_id")
@site_option
@environment_option
@app_option
@yes_option
def unlink(client_id: str, site: str, environment: str, app: str | None, yes: bool) -> None:
    """Take a link away; calls by it are refused from then on."""
    app = app_id(app)
    confirm(f"Ends what {client_id} may call in {environment} on {site}.", yes=yes)
    with signed_in() as api:
        api.delete(
            "integrations", client_id, "links", site=site, app_id=app, environment=environment
        )
    done(f"Unlinked {client_id} from {environment} on {site}")


@integrations.command("delete")
@click.argument("client_id")
@yes_option
def delete(client_id: str, yes: bool) -> None:
    """End an integration with all its tokens."""
    confirm(f"Ends {client_id} and all its tokens for good.", yes=yes)
    with signed_in() as api:
        api.delete("integrations", client_id)
    done(f"Deleted the integration {client_id}")


@integrations.command("set-keys")
@click.argument("client_id")
@jwks_option
@click.option("--none", "no_keys", is_flag=True, help="Take the keys away.")
@json_option
def set_keys(client_id: str, jwks: dict[str, Any] | None, no_keys: bool, as_json: bool) -> None:
    """Have it sign in by public keys (private_key_jwt), and by no secret.

    With --none it signs in no more, until rotate-secret gives it a secret. To rotate keys, give the
    new and the old one together, and then the new one alone.
    """
    require_one(jwks, no_keys)
    with signed_in() as api:
        if no_keys:
            api.delete("integrations", client_id, "keys")
            done(f"Took the keys of {client_id} away")
            return
        found = api.put("integrations", client_id, "keys", json=jwks)
    if as_json:
        click.echo(json_text(found))
        return
    done(f"{client_id} signs in by {names_of_keys(found)}")


@integrations.command("rotate-secret")
@click.argument("client_id")
@click.option("--end-previous", is_flag=True, help="End the previous secret; make no new one.")
@json_option
def rotate_secret(client_id: str, end_previous: bool, as_json: bool) -> None:
    """Make a new client secret; the one before stays valid until --end-previous."""
    with signed_in() as api:
        if end_previous:
            api.delete("integrations", client_id, "secrets", "previous")
            done(f"Ended the previous secret of {client_id}")
            return
        made = api.post("integrations", client_id, "secrets")
    if as_json:
        click.echo(json_text(made))
        return
    say(str(made["client_secret"]))
    note("Keep it now: it is not shown again. When it is in use everywhere, end the one before:")
    note(f"  sallyport integrations rotate-secret {client_id} --end-previous")


def _link(
    api: Api,
    site: str,
    app: str,
    environment: str,
    scopes: tuple[str, ...],
    product_scopes: tuple[str, ...],
    optional_scopes: tuple[str, ...],
) -> dict[str, Any]:
    return {
        "site": site,
        "app_id": app,
        "environment": environment,
        "scopes": list(scopes),
        "product_scopes": list(product_scopes) or _product_scopes(api, site, app, environment),
        "optional_scopes": list(optional_scopes),
    }


def _product_scopes(api: Api, site: str, app: str, environment: str) -> list[str]:
    """A token without its product scope is refused at every call, so they are not left out."""
    installed = api.items("admin", "sites", site, "apps")
    return sorted(
        {
            product_scope(str(each["product"]))
            for each in installed
            if each.get("app_id") == app and each.get("environment") == environment
        }
    )


def _kind(integration: dict[str, Any]) -> str:
    if integration["forge_compatible"]:
        return "confidential, Forge-compatible (PKCE optional)"
    return f"{integration['kind']}, PKCE required"


def _show(integration: dict[str, Any]) -> None:
    each = integration
    rows: list[tuple[str, object]] = [
        ("Name", each["name"]),
        ("Client id", each["client_id"]),
    ]
    if each.get("client_secret"):
        rows.append(("Client secret", each["client_secret"]))
    rows.append(("Kind", _kind(each)))
    if each["keys"]:
        rows.append(("Signs in by", names_of_keys(each)))
    rows.append(("Requests", "pushed (PAR)" if each["require_par"] else "in the address or pushed"))
    rows.append(("Tokens", "bound to a key (DPoP)" if each["require_dpop"] else "bearer or DPoP"))
    rows.append(("Callback URLs", each["redirect_uris"]))
    for link in each["links"]:
        rows += [
            ("", ""),
            ("Linked to", f"{link['app_id']} ({link['environment']}) on {link['host']}"),
            ("Scopes", [*link["scopes"], *link["product_scopes"]]),
            ("Optional", link["optional_scopes"] or "none of them"),
        ]
        if link["approvals"]:
            rows.append(("Approval", [_standing(each) for each in link["approvals"]]))
        rows += [
            ("Base URLs", link["base_urls"]),
            ("Authorization URL", link["authorization_url"]),
        ]
    pairs(rows)


def _standing(approval: dict[str, Any]) -> str:
    """One scope as the site's admins left it: `read:x:custom refused: no need for it`."""
    state = str(approval["state"]).replace("_", " ")
    words = f": {approval['reason']}" if approval["reason"] else ""
    return f"{approval['scope']} {state}{words}"


def _tell_what_waits(integration: dict[str, Any]) -> None:
    for link in integration["links"]:
        waiting = [
            each["scope"] for each in link["approvals"] if each["state"] == ScopeState.AWAITED
        ]
        if waiting:
            note(f"On {link['host']} an admin has to approve: {', '.join(waiting)}.")
