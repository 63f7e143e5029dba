"""`sallyport`: every command by name; a command's own file is read when it is run."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from sallyport.cli.lazy import HELP_NAMES, Entry, LazyNoun, Section

SECTIONS = (
    Section(
        "Start",
        (
            Entry("demo", "sallyport.cli.demo:demo", "Start the platform with the example app."),
            Entry("up", "sallyport.cli.up:up", "Start a platform."),
            Entry("doctor", "sallyport.cli.doctor:doctor", "Say how safely this host runs apps."),
            Entry("login", "sallyport.cli.session:login", "Sign in and remember it."),
            Entry("logout", "sallyport.cli.session:logout", "Forget the sign-in."),
            Entry("whoami", "sallyport.cli.session:whoami", "Say who is signed in."),
            Entry(
                "api-tokens",
                "sallyport.cli.api_tokens:api_tokens",
                "Your API tokens, for scripts and CI.",
            ),
            Entry(
                "sessions",
                "sallyport.cli.sessions:sessions",
                "The browsers in which you are signed in.",
            ),
        ),
    ),
    Section(
        "Build an app",
        (
            Entry("create", "sallyport.cli.create:create", "Make an app from a template."),
            Entry("register", "sallyport.cli.apps:register", "Register the app in this folder."),
            Entry("apps", "sallyport.cli.apps:apps", "Your apps and who builds them."),
            Entry("lint", "sallyport.cli.lint:lint", "Check the manifest and the custom scopes."),
            Entry(
                "custom-scopes",
                "sallyport.cli.custom_scopes:custom_scopes",
                "Register and list an app's custom scopes.",
            ),
            Entry("deploy", "sallyport.cli.deploy:deploy", "Deploy the app in this folder."),
            Entry("install", "sallyport.cli.install:install", "Install the app on a site."),
            Entry("uninstall", "sallyport.cli.install:uninstall", "Take the app away from a site."),
            Entry(
                "environments",
                "sallyport.cli.environments:environments",
                "An app's environments.",
            ),
            Entry(
                "variables", "sallyport.cli.variables:variables", "Variables that functions read."
            ),
            Entry(
                "webtrigger",
                "sallyport.cli.webtrigger:webtrigger",
                "URLs that run a function for whoever knows them.",
            ),
            Entry("docs", "sallyport.cli.docs:docs", "The app's API documentation, as files."),
            Entry("logs", "sallyport.cli.logs:logs", "What the app's functions wrote."),
        ),
    ),
    Section(
        "Call an app",
        (
            Entry(
                "integrations",
                "sallyport.cli.integrations:integrations",
                "OAuth clients that call apps.",
            ),
            Entry(
                "service-accounts",
                "sallyport.cli.service_accounts:service_accounts",
                "Machines that call an app for themselves.",
            ),
            Entry("grants", "sallyport.cli.grants:grants", "What you have consented to."),
            Entry("why", "sallyport.cli.why:why", "Why a call was allowed or refused."),
        ),
    ),
    Section(
        "Be in charge",
        (
            Entry("sites", "sallyport.cli.sites:sites", "Your sites."),
            Entry("admin", "sallyport.cli.admin:admin", "A site's apps, switches and records."),
            Entry(
                "approvals",
                "sallyport.cli.approvals:approvals",
                "What integrations may use on a site.",
            ),
            Entry(
                "operator",
                "sallyport.cli.operator:operator",
                "Organizations, sites, accounts: provision a platform.",
            ),
        ),
    ),
)


@click.group(
    cls=LazyNoun,
    sections=SECTIONS,
    name="sallyport",
    context_settings={**HELP_NAMES, "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 lint errors, "
    "4 not signed in or not allowed, 5 platform not reached.",
)
@click.version_option(package_name="sallyport", message="sallyport %(version)s")
@click.option("--reason", metavar="TEXT", default="", help="Why, for the audit of what is done.")
@click.pass_context
def cli(ctx: click.Context, reason: str) -> None:
    """Apps expose their own REST APIs; the customer controls who may call them."""
    ctx.meta["sallyport.reason"] = reason


def main() -> None:
    """The `sallyport` command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets escapes for what it cannot show, not a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="sallyport")
