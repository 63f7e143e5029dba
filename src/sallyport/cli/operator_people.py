"""`operator accounts`, `members`, `org-admins`: people and what they are where."""

from __future__ import annotations

import click

from sallyport.cli.client import signed_in
from sallyport.cli.failures import USAGE, Failed
from sallyport.cli.lazy import Noun
from sallyport.cli.options import confirm, json_option, site_option, yes_option
from sallyport.cli.secret_input import password_stdin_option, stdin_password
from sallyport.cli.terminal import done, json_text, listing, note, say

_organization_option = click.option(
    "--organization", metavar="ID", required=True, help="The organization's id."
)
_PERSON = {"Email": "email", "Name": "name", "Role": "role", "Account id": "account_id"}


@click.group(cls=Noun)
def accounts() -> None:
    """People."""


@accounts.command("list")
@json_option
def list_accounts(as_json: bool) -> None:
    """List every account of the platform."""
    with signed_in() as api:
        found = api.items("operator", "accounts")
    listing(
        found,
        {
            "Email": "email",
            "Name": "name",
            "Operator": "operator",
            "Active": "active",
            "Account id": "account_id",
        },
        as_json=as_json,
        empty="No account yet.",
    )


@accounts.command("create")
@click.argument("email")
@click.option("--name", metavar="NAME", required=True, help="The person's name.")
@click.option("--operator", is_flag=True, help="Make them an operator.")
@password_stdin_option
@json_option
def create_account(
    email: str, name: str, operator: bool, password_stdin: bool, as_json: bool
) -> None:
    """Make an account; without --password-stdin a password is made and printed once."""
    body: dict[str, object] = {"email": email, "name": name, "operator": operator}
    password = stdin_password(wanted=password_stdin)
    if password is not None:
        body["password"] = password
    with signed_in() as api:
        made = api.post("operator", "accounts", json=body)
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Created the account {made['email']} ({made['account_id']})")
    if made.get("password"):
        say(f"Password: {made['password']}")
        note("Hand it over now: it is not shown again.")


@accounts.command("update")
@click.argument("account", metavar="EMAIL")
@click.option("--activate/--deactivate", "active", default=None, help="Whether it may act at all.")
@click.option("--operator/--no-operator", default=None, help="Whether it is an operator.")
@password_stdin_option
@yes_option
def update_account(
    account: str,
    active: bool | None,
    operator: bool | None,
    password_stdin: bool,
    yes: bool,
) -> None:
    """Change an account. EMAIL may be an account id."""
    changes: dict[str, object] = {}
    if active is not None:
        changes["active"] = active
    if operator is not None:
        changes["operator"] = operator
    password = stdin_password(wanted=password_stdin)
    if password is not None:
        changes["password"] = password
    if not changes:
        raise Failed(
            "There is nothing to change.",
            fix="Give --deactivate, --operator or --password-stdin.",
            exit_code=USAGE,
        )
    if active is False:
        confirm("Ends the account's sign-ins and refuses its tokens everywhere.", yes=yes)
    with signed_in() as api:
        api.patch("operator", "accounts", account, json=changes)
    done(f"Changed the account {account}: {', '.join(changes)}")


@accounts.command("api-token")
@click.argument("account", metavar="EMAIL")
@click.argument("label")
@json_option
def make_token(account: str, label: str, as_json: bool) -> None:
    """Make an API token for an account and print it, this once. EMAIL may be an account id."""
    with signed_in() as api:
        made = api.post("operator", "accounts", account, "api-tokens", json={"label": label})
    if as_json:
        click.echo(json_text(made))
        return
    say(str(made["token"]))
    note("Hand it over now: it is not shown again.")


@click.group(cls=Noun)
def members() -> None:
    """Who is on a site, and its admins."""


@members.command("list")
@site_option
@json_option
def list_members(site: str, as_json: bool) -> None:
    """List a site's members."""
    with signed_in() as api:
        found = api.items("operator", "sites", site, "members")
    listing(found, _PERSON, as_json=as_json, empty="The site has no members.")


@members.command("set")
@click.argument("account", metavar="EMAIL")
@click.option("--role", type=click.Choice(["member", "admin"]), default="member", show_default=True)
@site_option
def set_member(account: str, role: str, site: str) -> None:
    """Make somebody a member or an admin of a site. EMAIL may be an account id."""
    with signed_in() as api:
        api.put("operator", "sites", site, "members", account, json={"role": role})
    done(f"{account} is {role} of {site}")


@members.command("remove")
@click.argument("account", metavar="EMAIL")
@site_option
def remove_member(account: str, site: str) -> None:
    """Take somebody off a site; their tokens for it are refused from the next call on."""
    with signed_in() as api:
        api.delete("operator", "sites", site, "members", account)
    done(f"{account} is no longer on {site}")


@click.group(cls=Noun)
def org_admins() -> None:
    """Who administers an organization, and with it every site of it."""


@org_admins.command("list")
@_organization_option
@json_option
def list_org_admins(organization: str, as_json: bool) -> None:
    """List an organization's admins."""
    with signed_in() as api:
        found = api.items("operator", "organizations", organization, "admins")
    columns = {title: key for title, key in _PERSON.items() if key != "role"}
    listing(found, columns, as_json=as_json, empty="The organization has no admins.")


@org_admins.command("set")
@click.argument("account", metavar="EMAIL")
@_organization_option
def set_org_admin(account: str, organization: str) -> None:
    """Make somebody an admin of an organization. EMAIL may be an account id."""
    with signed_in() as api:
        api.put("operator", "organizations", organization, "admins", account)
    done(f"{account} is an admin of the organization")


@org_admins.command("remove")
@click.argument("account", metavar="EMAIL")
@_organization_option
def remove_org_admin(account: str, organization: str) -> None:
    """Take somebody's organization role away."""
    with signed_in() as api:
        api.delete("operator", "organizations", organization, "admins", account)
    done(f"{account} is no longer an admin of the organization")
