"""`lint`: the manifest and the custom scopes, checked here, without the platform."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from sallyport.cli.client import signed_in
from sallyport.cli.failures import LINT_ERRORS
from sallyport.cli.folder import CUSTOM_SCOPES, MANIFEST, app_id, manifest_bytes
from sallyport.cli.lazy import Verb
from sallyport.cli.options import app_option, environment_key
from sallyport.cli.terminal import done, json_text, mark, note, plain
from sallyport.model.manifest import Diagnostic


def _environment(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    return None if given is None else environment_key(ctx, param, given)


@click.command(cls=Verb)
@click.option("--forge", is_flag=True, help="Report what would not deploy on Forge, too.")
@click.option("--fix", is_flag=True, help="Rename misspelt keys in manifest.yml.")
@click.option(
    "-e",
    "--environment",
    metavar="NAME",
    callback=_environment,
    help="Also ask the platform which scopes this environment has.",
)
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint(forge: bool, fix: bool, environment: str | None, app: str | None, as_json: bool) -> None:
    """Check the manifest and the custom scopes.

    Exits with 3 where there are errors; warnings alone are fine.
    """
    if fix:
        from sallyport.cli.lint_fix import with_keys_renamed

        mended, renamed = with_keys_renamed(manifest_bytes())
        if renamed:
            Path(MANIFEST).write_bytes(mended)
        for old, new in renamed:
            note(f"{MANIFEST}: renamed '{old}' to '{new}'")
    found = lint_folder(forge=forge)
    if environment is not None:
        found += _unregistered(app_id(app), environment)
    if as_json:
        keys = Diagnostic.__slots__
        click.echo(json_text([{key: getattr(each, key) for key in keys} for each in found]))
    else:
        show_findings(found)
    if has_errors(found):
        raise click.exceptions.Exit(LINT_ERRORS)


def lint_folder(
    *, forge: bool = False, variables: Mapping[str, str] | None = None
) -> list[Diagnostic]:
    """Every finding about the app in this folder.

    `variables` fill in what the manifest declares; by default the process environment does.
    """
    from sallyport.manifest.api_notes import read_api_notes
    from sallyport.manifest.lint import lint as best_practices
    from sallyport.manifest.load import read_custom_scopes, read_manifest
    from sallyport.manifest.rules import code_folder
    from sallyport.manifest.source import Folder

    read = read_manifest(
        manifest_bytes(),
        MANIFEST,
        source=Folder(Path()),
        variables=os.environ if variables is None else variables,
    )
    declared = Path(CUSTOM_SCOPES)
    scopes = read_custom_scopes(declared.read_bytes()) if declared.exists() else None
    notes: tuple[Diagnostic, ...] = ()
    if read.manifest is not None:
        notes = read_api_notes(read.manifest, _read_file, code_folder(read.root)).diagnostics
    return [
        *read.diagnostics,
        *(scopes.diagnostics if scopes else ()),
        *best_practices(read, scopes, forge=forge),
        *notes,
    ]


def _read_file(name: str) -> bytes | None:
    path = Path(name)
    return path.read_bytes() if path.is_file() else None


def show_findings(found: Sequence[Diagnostic]) -> None:
    """One finding a line, `file:line:col  level  message  (reference)`, then how many there are."""
    if not found:
        done("No issues found")
        return
    places = [plain(f"{each.file}:{each.line}:{each.column}") for each in found]
    width = max(len(place) for place in places)
    for each, place in zip(found, places, strict=True):
        level = mark(f"{each.level:<7}", "red" if each.level == "error" else "yellow")
        click.echo(f"{place:<{width}}  {level}  {plain(each.message)}  ({each.reference})")
        if each.fix:
            click.echo(f"{'':<{width}}           {plain(each.fix)}")
    click.echo()
    click.echo(counted(found))


def has_errors(found: Sequence[Diagnostic]) -> bool:
    return any(each.level == "error" for each in found)


def counted(found: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    errors = sum(each.level == "error" for each in found)
    warnings = len(found) - errors
    return ", ".join(
        f"{count} {word}" + ("" if count == 1 else "s")
        for count, word in ((errors, "error"), (warnings, "warning"))
    )


def _unregistered(app: str, environment: str) -> list[Diagnostic]:
    """Scopes of routes that the environment has not, contract section (c.4)."""
    from sallyport.manifest.load import read_manifest

    read = read_manifest(manifest_bytes(), MANIFEST, variables=os.environ)
    if read.manifest is None:
        return []
    with signed_in() as api:
        items = api.items("apps", app, "environments", environment, "custom-scopes")
    missing = sorted(read.manifest.custom_scopes - {str(each.get("name")) for each in items})
    return [
        Diagnostic(
            MANIFEST,
            1,
            1,
            "error",
            "CUSTOM_SCOPES_NOT_AVAILABLE",
            f"scope '{name}' is not registered in {environment}",
            f"Declare it in {CUSTOM_SCOPES} and run sallyport custom-scopes create "
            f"-e {environment}.",
        )
        for name in missing
    ]
