"""`admin`: what a site's admins see and switch."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.audit import Wanted, audit_options, of_app_option, show_audit
from sallyport.cli.client import Api, signed_in
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import (
    app_option,
    confirm,
    environment_option,
    json_option,
    site_option,
    yes_option,
)
from sallyport.cli.terminal import done, json_text, listing, pairs, say

_limit_option = click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most."
)


@click.group(cls=Noun)
def admin() -> None:
    """A site's apps, switches and records, for its admins."""


@admin.group("rest-apis", cls=Noun)
def rest_apis() -> None:
    """Whether an app's REST APIs may be called on a site. Off until an admin turns them on."""


@rest_apis.command("enable")
@site_option
@environment_option
@app_option
def enable(site: str, environment: str, app: str | None) -> None:
    """Turn the app's REST APIs on; prints their base URLs."""
    app = app_id(app)
    with signed_in() as api:
        switch = _turn(api, site, app, environment, on=True)
    done(f"REST APIs are on for {environment} on {site}")
    for url in switch["base_urls"]:
        say(f"Base URL: {url}")


@rest_apis.command("disable")
@site_option
@environment_option
@app_option
def disable(site: str, environment: str, app: str | None) -> None:
    """Turn the app's REST APIs off; refuses the next call everywhere."""
    app = app_id(app)
    with signed_in() as api:
        _turn(api, site, app, environment, on=False)
    done(f"REST APIs are off for {environment} on {site}; the next call is refused")


@rest_apis.command("status")
@site_option
@environment_option
@app_option
@json_option
def status(site: str, environment: str, app: str | None, as_json: bool) -> None:
    """Say whether the app's REST APIs are on, since when and by whom."""
    app = app_id(app)
    with signed_in() as api:
        switch = api.get(*_switch(site, app, environment))
    if as_json:
        click.echo(json_text(switch))
        return
    rows: list[tuple[str, object]] = [("REST APIs", "on" if switch["enabled"] else "off")]
    if switch.get("changed_at"):
        by = f" by {switch['changed_by_email']}" if switch.get("changed_by_email") else ""
        rows.append(("Changed", f"{switch['changed_at']}{by}"))
    rows.append(("Base URLs", switch["base_urls"]))
    pairs(rows)


@admin.command("apps")
@site_option
@click.option("--routes", is_flag=True, help="Show each app's routes and their scopes.")
@json_option
def apps(site: str, routes: bool, as_json: bool) -> None:
    """List the apps installed on a site."""
    with signed_in() as api:
        found = api.items("admin", "sites", site, "apps")
    if routes and not as_json:
        for each in found:
            say(f"{each['app_name']} ({each['environment']}), {each['product']}")
            listing(
                each["routes"],
                {"Operation": "operation", "Path": "path", "Scopes": "scopes"},
                as_json=False,
                empty="No routes.",
            )
            say()
        return
    listing(
        found,
        {
            "App": "app_name",
            "Environment": "environment",
            "Product": "product",
            "Version": "version",
            "Newest": "newest_version",
            "REST APIs on": "rest_apis_enabled",
            "App id": "app_id",
        },
        as_json=as_json,
        empty="No app is installed on this site.",
    )


@admin.command("audit")
@click.option("-s", "--site", metavar="SITE", help="The site's host or cloud id.")
@click.option("--organization", metavar="ID", help="Instead, every site of this organization.")
@of_app_option
@audit_options
def audit(site: str | None, organization: str | None, wanted: Wanted) -> None:
    """List or export what was done on a site, by whom, from where and why, newest first."""
    if (site is None) == (organization is None):
        raise click.UsageError("Give either --site or --organization.")
    place = ("sites", site) if site is not None else ("organizations", str(organization))
    show_audit(("admin", *place, "audit"), wanted)


@admin.command("decisions")
@site_option
@click.option("--refused", is_flag=True, help="Only calls that were refused.")
@_limit_option
@json_option
def decisions(site: str, refused: bool, limit: int, as_json: bool) -> None:
    """List the newest calls to a site and how they were decided."""
    with signed_in() as api:
        found = api.items("admin", "sites", site, "decisions", refused=refused, limit=limit)
    listing(
        found,
        {
            "At": "at",
            "Method": "method",
            "Path": "path",
            "Status": "status",
            "Shut gate": "gate",
            "Reason": "reason",
            "Decision id": "decision_id",
        },
        as_json=as_json,
        empty="No call is recorded.",
    )


@admin.group("grants", cls=Noun, invoke_without_command=True)
@click.option("-s", "--site", metavar="SITE", help="The site's host or cloud id.")
@json_option
@click.pass_context
def grants(ctx: click.Context, site: str | None, as_json: bool) -> None:
    """The consents that a site's members gave."""
    if ctx.invoked_subcommand is None:
        if site is None:
            raise click.MissingParameter(param_hint="--site", param_type="option", ctx=ctx)
        ctx.invoke(list_grants, site=site, as_json=as_json)


@grants.command("list")
@site_option
@json_option
def list_grants(site: str, as_json: bool) -> None:
    """List the consents that a site's members gave."""
    with signed_in() as api:
        found = api.items("admin", "sites", site, "grants")
    listing(
        found,
        {
            "Account": "account_email",
            "Integration": "integration_name",
            "App": "app_name",
            "Environment": "environment",
            "Scopes": "scopes",
            "Since": "created_at",
            "Grant id": "grant_id",
        },
        as_json=as_json,
        empty="Nobody on this site has consented to anything.",
    )


@grants.command("revoke")
@click.argument("grant_id")
@site_option
@yes_option
def revoke_grant(grant_id: str, site: str, yes: bool) -> None:
    """End a member's consent; its tokens are refused from the next call on."""
    confirm("Ends this consent and its tokens.", yes=yes)
    with signed_in() as api:
        api.delete("admin", "sites", site, "grants", grant_id)
    done(f"Ended the consent {grant_id}")


def _turn(api: Api, site: str, app: str, environment: str, *, on: bool) -> dict[str, Any]:
    switch: dict[str, Any] = api.put(*_switch(site, app, environment), json={"enabled": on})
    return switch


def _switch(site: str, app: str, environment: str) -> tuple[str, ...]:
    return ("admin", "sites", site, "apps", app, "environments", environment, "rest-apis")
