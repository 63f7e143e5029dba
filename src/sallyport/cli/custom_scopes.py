"""`custom-scopes`: register and list the scopes that an app defines, contract section (c.3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sallyport.cli.client import Api, Refusal, signed_in
from sallyport.cli.failures import LINT_ERRORS, UNREACHABLE, Failed
from sallyport.cli.folder import CUSTOM_SCOPES, app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import DEVELOPMENT, app_option, environment_option, json_option
from sallyport.cli.terminal import done, json_text, table
from sallyport.model.manifest import ScopeDeclaration


@click.group(cls=Noun, invoke_without_command=True)
@click.pass_context
def custom_scopes(ctx: click.Context) -> None:
    """Register and list an app's custom scopes.

    Alone it lists those of development. A registered scope is never deleted or renamed.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_scopes, environment=DEVELOPMENT, app=None, as_json=False)


@custom_scopes.command("create")
@environment_option
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    default=CUSTOM_SCOPES,
    show_default=True,
    help="The file that declares the scopes.",
)
@app_option
def create(environment: str, path: Path, app: str | None) -> None:
    """Register the scopes of a file in an environment.

    What is registered stays; new ones are added and texts are brought up to date. Only an admin
    of the app may.
    """
    declared = _declared(path)
    app = app_id(app)
    with signed_in() as api:
        try:
            answer = api.post(
                "apps",
                app,
                "environments",
                environment,
                "custom-scopes",
                json={"scopes": [_as_json(scope) for scope in declared]},
            )
        except Refusal as refusal:
            raise Failed(
                "Failed to submit custom scopes for creation on the server:",
                lines=[
                    f"- {refusal.reason or 'Error'} ({refusal.status}): {refusal.message}",
                    *refusal.lines,
                ],
                fix=refusal.fix,
                exit_code=refusal.exit_code,
            ) from None
    done("Successfully submitted custom scopes for creation")
    table(
        ("Name", "Display name", "State"),
        [(each.name, each.display_name, _state(each.name, answer)) for each in declared],
        empty="The file declares no scope.",
    )


@custom_scopes.command("list")
@environment_option
@app_option
@json_option
def list_scopes(environment: str, app: str | None, as_json: bool) -> None:
    """List the scopes that are registered in an environment."""
    app = app_id(app)
    with signed_in() as api:
        found = _registered(api, app, environment)
    if as_json:
        click.echo(json_text(found))
        return
    done("Completed fetching custom scopes")
    table(
        ("Name", "Display name"),
        [(each["name"], each["displayName"]) for each in found],
        empty=f"No custom scope is registered in {environment}.",
    )


def _state(name: str, answer: Mapping[str, Any]) -> str:
    if name in answer["registered"]:
        return "new"
    return "texts changed" if name in answer.get("changed", ()) else "as before"


def _registered(api: Api, app: str, environment: str) -> list[dict[str, object]]:
    items = api.items("apps", app, "environments", environment, "custom-scopes")
    try:
        return [
            {
                "name": each["name"],
                "displayName": each["display_name"],
                "description": each["description"],
            }
            for each in items
        ]
    except KeyError:
        raise Failed("Invalid response received from remote", exit_code=UNREACHABLE) from None


def _declared(path: Path) -> tuple[ScopeDeclaration, ...]:
    """The file's scopes. Raises `Failed` with the texts of contract section (c.3)."""
    from sallyport.manifest.custom_scopes import failure_text, read_custom_scopes
    from sallyport.manifest.document import to_data

    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failed(f"Failed to read file at {path}: {error.strerror}") from None
    read = read_custom_scopes(data, path.name)
    if read.scopes is None:
        shown = json_text(to_data(read.root)) if read.root is not None else ""
        first, *rest = failure_text(read, shown).split("\n")
        fixes = [each.fix for each in read.diagnostics if each.fix]
        raise Failed(first, lines=rest, fix=fixes[0] if fixes else None, exit_code=LINT_ERRORS)
    return read.scopes


def _as_json(scope: ScopeDeclaration) -> dict[str, str]:
    said = {"name": scope.name, "description": scope.description}
    if scope.display_name is not None:
        said["display_name"] = scope.display_name
    return said
