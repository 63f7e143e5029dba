"""`deploy`: lint, pack, upload; what is deployed, what changed, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sallyport.cli.client import Api, Refusal, signed_in
from sallyport.cli.failures import LINT_ERRORS, Failed
from sallyport.cli.folder import MANIFEST, app_id, manifest_bytes
from sallyport.cli.lazy import Noun
from sallyport.cli.lint import counted, has_errors, lint_folder, show_findings
from sallyport.cli.options import (
    app_option,
    environment_option,
    json_option,
    non_interactive_option,
)
from sallyport.cli.terminal import done, interactive, json_text, listing, note, say
from sallyport.manifest.requirements import PROJECT_FILE, REQUIREMENTS_FILE
from sallyport.vocab.errors import Refused

MAJOR_VERSION_RULE = "MAJOR_VERSION_RULE"


@click.group(cls=Noun, invoke_without_command=True)
@environment_option
@click.option("-f", "--no-verify", is_flag=True, help="Do not lint here first.")
@click.option("-t", "--tag", metavar="TAG", help="A word of your own on this version.")
@click.option(
    "--approve",
    "approved",
    metavar="RULE",
    multiple=True,
    type=click.Choice([MAJOR_VERSION_RULE]),
    help=f"Agree to a major version: {MAJOR_VERSION_RULE}.",
)
@app_option
@non_interactive_option
@json_option
@click.pass_context
def deploy(
    ctx: click.Context,
    environment: str,
    no_verify: bool,
    tag: str | None,
    approved: tuple[str, ...],
    app: str | None,
    non_interactive: bool,
    as_json: bool,
) -> None:
    """Deploy the app in this folder.

    Makes a new version: a minor one reaches every installation of its major at once, a major one
    waits for each site's admin. Register the scopes of new routes before.
    """
    if ctx.invoked_subcommand is not None:
        return
    manifest_bytes()
    app = app_id(app)
    tell = note if as_json else say
    with signed_in() as api:
        name = str(api.get("apps", app)["name"])
        tell(f"Deploying {name} to {environment}...")
        variables = _variables(api, app, environment)
        if not no_verify:
            tell("Running sallyport lint...")
            _verify(variables, as_json=as_json)
        archive = _packed(variables, tell)
        approve = approved[0] if approved else None
        if any(Path(name).is_file() for name in (REQUIREMENTS_FILE, PROJECT_FILE)):
            tell("Resolving the app's packages...")
        try:
            made = _upload(api, app, environment, archive, tag, approve)
        except Refusal as refusal:
            if refusal.reason != MAJOR_VERSION_RULE or non_interactive or not interactive():
                raise
            note(refusal.message)
            for line in refusal.lines:
                note(line)
            click.confirm("Deploy it as a major version?", abort=True, err=True)
            made = _upload(api, app, environment, archive, tag, MAJOR_VERSION_RULE)
    if as_json:
        click.echo(json_text(made))
        return
    packages = made.get("packages") or []
    if packages:
        note("Packages: " + ", ".join(f"{each['name']} {each['version']}" for each in packages))
    done(f"Deployed {name} {made['version']} to {environment}")
    if made["major"]:
        note("A major version: each site's admin moves to it with `sallyport install --upgrade`.")


@deploy.command("list")
@environment_option
@app_option
@json_option
def list_deployments(environment: str, app: str | None, as_json: bool) -> None:
    """List the versions that were deployed to an environment, newest first."""
    app = app_id(app)
    with signed_in() as api:
        found = api.items("apps", app, "environments", environment, "deployments")
    listing(
        found,
        {
            "Version": "version",
            "Live": "live",
            "Tag": "tag",
            "Deployed": "created_at",
            "By": "created_by",
            "Version id": "version_id",
        },
        as_json=as_json,
        empty=f"Nothing is deployed to {environment}.",
    )


@deploy.command("compare")
@click.argument("old")
@click.argument("new")
@environment_option
@app_option
@json_option
def compare(old: str, new: str, environment: str, app: str | None, as_json: bool) -> None:
    """Say what changed from the version OLD to NEW: routes, scopes, permissions."""
    app = app_id(app)
    with signed_in() as api:
        found = api.get(
            "apps", app, "environments", environment, "deployments", new, "compare", old
        )
    if as_json:
        click.echo(json_text(found))
        return
    same = "The code is the same." if found["same_code"] else "The code differs."
    listing(
        found["items"],
        {"What": "what", "Change": "change", "Name": "name", "How": "detail"},
        as_json=False,
        empty="Both declare the same.",
    )
    note(same)


@deploy.command("rollback")
@click.argument("version")
@environment_option
@app_option
@json_option
def rollback(version: str, environment: str, app: str | None, as_json: bool) -> None:
    """Deploy the earlier VERSION of the newest major anew.

    It becomes the next minor version, which every installation of that major runs at once.
    """
    app = app_id(app)
    with signed_in() as api:
        made = api.post(
            "apps", app, "environments", environment, "deployments", version, "roll-back"
        )
    if as_json:
        click.echo(json_text(made))
        return
    done(f"Deployed {version} again as {made['version']} to {environment}")


def _variables(api: Api, app: str, environment: str) -> dict[str, str]:
    """The variables that the platform will fill in: those whose value it may show."""
    known = api.items("apps", app, "environments", environment, "variables")
    return {each["key"]: each["value"] for each in known if each["value"] is not None}


def _verify(variables: Mapping[str, str], *, as_json: bool) -> None:
    found = lint_folder(variables=variables)
    if has_errors(found) or (found and not as_json):
        show_findings(found)
    if has_errors(found):
        raise Failed(
            f"Nothing was deployed: lint found {counted(found)}.",
            fix="Mend the errors; --no-verify leaves the checking to the platform.",
            exit_code=LINT_ERRORS,
        )


def _packed(variables: Mapping[str, str], tell: Callable[[str], None]) -> bytes:
    """The archive of this folder, a Node app's built modules included."""
    from sallyport.cli.bundle_node import build
    from sallyport.manifest.document import compose
    from sallyport.manifest.load import read_manifest
    from sallyport.manifest.pack import pack
    from sallyport.manifest.rules import code_folder

    # What is wrong with a manifest that cannot be read, the platform says.
    manifest = read_manifest(manifest_bytes(), MANIFEST, variables=variables).manifest
    built: dict[str, bytes] = {}
    if manifest is not None and not manifest.runtime.is_python:
        tell("Building with esbuild...")
        built = build(Path(), manifest, code_folder(compose(manifest_bytes()).root))
    try:
        return pack(Path(), built)
    except Refused as refused:
        raise Failed(refused.detail, fix=refused.fix) from None


def _upload(
    api: Api, app: str, environment: str, archive: bytes, tag: str | None, approve: str | None
) -> dict[str, Any]:
    made: dict[str, Any] = api.upload(
        "apps",
        app,
        "environments",
        environment,
        "deployments",
        archive=archive,
        tag=tag,
        approve=approve,
    )
    return made
