"""`operator`: provision a platform: organizations, sites, products, and the people of each."""

from __future__ import annotations

import click

from sallyport.cli.client import anonymous, signed_in, warn_of_plain_http
from sallyport.cli.credentials import DEFAULT_URL, Stored, checked_url, configured_url, remember
from sallyport.cli.lazy import Entry, LazyNoun, Noun, Section, Verb
from sallyport.cli.options import asked, json_option
from sallyport.cli.secret_input import password_stdin_option, stdin_password
from sallyport.cli.terminal import done, json_text, listing, note

_PEOPLE = "sallyport.cli.operator_people"
_HERE = "sallyport.cli.operator"

SECTIONS = (
    Section(
        "Commands",
        (
            Entry("claim", f"{_HERE}:claim", "Become the first operator of a new platform."),
            Entry("organizations", f"{_HERE}:organizations", "Customers."),
            Entry("sites", f"{_HERE}:sites", "Tenants of organizations."),
            Entry("products", f"{_HERE}:products", "What sites run."),
            Entry("accounts", f"{_PEOPLE}:accounts", "People."),
            Entry("members", f"{_PEOPLE}:members", "Who is on a site, and its admins."),
            Entry("keys", "sallyport.cli.operator_keys:keys", "The keys that sign access tokens."),
            Entry(
                "integrations",
                "sallyport.cli.operator_integrations:integrations",
                "Integrations that you vouch for.",
            ),
            Entry("audit", "sallyport.cli.audit:everybody", "What was done on the platform."),
            Entry("org-admins", f"{_PEOPLE}:org_admins", "Who administers an organization."),
        ),
    ),
)


@click.group(cls=LazyNoun, sections=SECTIONS)
def operator() -> None:
    """Organizations, sites, accounts: provision a platform. For operators only."""


@click.command("claim", cls=Verb)
@click.option("--url", metavar="URL", help="The platform's address.")
@click.option("--token", metavar="TOKEN", required=True, help="The token of the one-time link.")
@click.option("-u", "--email", metavar="EMAIL", help="Your email.")
@click.option("--name", metavar="NAME", help="Your name.")
@password_stdin_option
def claim(
    url: str | None, token: str, email: str | None, name: str | None, password_stdin: bool
) -> None:
    """Become the first operator of a new platform, and sign in.

    A platform without an operator prints a one-time link when it starts; its token goes here.
    """
    url = checked_url(url) if url else configured_url() or DEFAULT_URL
    email = asked(email, "--email", "Email", ask=True)
    name = asked(name, "--name", "Name", ask=True)
    warn_of_plain_http(url)
    given = stdin_password(wanted=password_stdin)
    password = asked(given, "--password-stdin", "Password", ask=True, hidden=True)
    with anonymous(url) as api:
        made = api.post(
            "setup", json={"token": token, "email": email, "name": name, "password": password}
        )
    path = remember(url, Stored(email, str(made["api_token"]), None))
    done(f"{name} is the first operator of {url}")
    note(f"Signed in; stored in {path}.")


@click.group(cls=Noun)
def organizations() -> None:
    """Customers."""


@organizations.command("list")
@json_option
def list_organizations(as_json: bool) -> None:
    """List the organizations."""
    with signed_in() as api:
        found = api.items("operator", "organizations")
    listing(found, {"Name": "name", "Id": "id"}, as_json=as_json, empty="No organization yet.")


@organizations.command("create")
@click.argument("name")
@json_option
def create_organization(name: str, as_json: bool) -> None:
    """Make an organization."""
    with signed_in() as api:
        made = api.post("operator", "organizations", json={"name": name})
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Created the organization {made['name']} ({made['id']})")


@click.group(cls=Noun)
def products() -> None:
    """What sites run: jira and confluence by default."""


@products.command("list")
@json_option
def list_products(as_json: bool) -> None:
    """List the products that sites can run."""
    with signed_in() as api:
        found = api.items("operator", "products")
    listing(
        found,
        {"Key": "key", "Name": "name", "Upstream": "upstream"},
        as_json=as_json,
        empty="No product yet.",
    )


@products.command("create")
@click.argument("key")
@click.argument("name")
@click.option("--upstream", metavar="URL", help="Where the APIs are that app code may call.")
@json_option
def create_product(key: str, name: str, upstream: str | None, as_json: bool) -> None:
    """Declare a product; its key stands in base URLs and in its product scope."""
    with signed_in() as api:
        made = api.post(
            "operator", "products", json={"key": key, "name": name, "upstream": upstream}
        )
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Declared the product {made['key']}")


@products.command("change")
@click.argument("key")
@click.option("--name", metavar="NAME", help="Another name.")
@click.option(
    "--upstream", metavar="URL", help="Where the APIs are that app code may call; '' for none."
)
@json_option
def change_product(key: str, name: str | None, upstream: str | None, as_json: bool) -> None:
    """Change a product's name, or where its APIs are."""
    if name is None and upstream is None:
        raise click.UsageError("Give --name or --upstream.")
    with signed_in() as api:
        changed = api.patch("operator", "products", key, json={"name": name, "upstream": upstream})
    if as_json:
        click.echo(json_text(changed))
        return
    done(f"Changed the product {changed['key']}")


@click.group(cls=Noun)
def sites() -> None:
    """Tenants of organizations."""


@sites.command("list")
@json_option
def list_sites(as_json: bool) -> None:
    """List every site of the platform."""
    with signed_in() as api:
        found = api.items("operator", "sites")
    listing(
        found,
        {"Host": "host", "Name": "name", "Products": "products", "Cloud id": "site_id"},
        as_json=as_json,
        empty="No site yet.",
    )


@sites.command("create")
@click.argument("host")
@click.option("--organization", metavar="ID", required=True, help="The organization's id.")
@click.option("--name", metavar="NAME", help="Its name; by default its host.")
@click.option(
    "-p",
    "--product",
    "site_products",
    metavar="KEY",
    multiple=True,
    default=("jira",),
    show_default=True,
    help="A product that it runs; may be given several times.",
)
@json_option
def create_site(
    host: str, organization: str, name: str | None, site_products: tuple[str, ...], as_json: bool
) -> None:
    """Make a site, known by its host name."""
    with signed_in() as api:
        made = api.post(
            "operator",
            "sites",
            json={
                "organization_id": organization,
                "host": host,
                "name": name or host,
                "products": list(site_products),
            },
        )
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Created the site {made['host']}, cloud id {made['site_id']}")
