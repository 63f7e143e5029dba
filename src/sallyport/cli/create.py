"""`create`: a new app from a template, registered."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click

from sallyport.cli.apps import with_id
from sallyport.cli.client import signed_in
from sallyport.cli.failures import USAGE, Failed
from sallyport.cli.folder import MANIFEST
from sallyport.cli.lazy import Verb
from sallyport.cli.options import asked
from sallyport.cli.terminal import done, note, say

TEMPLATES = Path(__file__).parent / "templates"
PYTHON_REST_API = "python-rest-api"


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option(
    "-t",
    "--template",
    type=click.Choice([PYTHON_REST_API]),
    default=PYTHON_REST_API,
    show_default=True,
    help="What to begin with.",
)
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    help="The new folder; by default named like the app.",
)
@click.option("-y", "--accept-terms", is_flag=True, hidden=True)
def create(name: str | None, template: str, directory: Path | None, accept_terms: bool) -> None:
    """Make an app from a template and register it."""
    name = asked(name, "NAME", "Name of the app", ask=True)
    folder = directory or Path(folder_name(name))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failed(f"{folder} exists and is not empty.", fix="Give another with --directory.")
    with signed_in() as api:
        made = api.post("apps", json={"name": name})
    shutil.copytree(
        TEMPLATES / template,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    manifest = folder / MANIFEST
    manifest.write_bytes(with_id(manifest.read_bytes(), str(made["ari"])))
    done(f"Created {made['name']} in {folder}")
    say(f"App id: {made['ari']}")
    note("Next:")
    note(f"  cd {folder}")
    note("  sallyport custom-scopes create")
    note("  sallyport deploy")
    note("  sallyport install --site <host> --product <product>")


def folder_name(app_name: str) -> str:
    """The folder for an app of this name: `Employee Directory` -> `employee-directory`."""
    found = re.sub(r"[^a-z0-9]+", "-", app_name.lower()).strip("-")
    if not found:
        raise Failed(
            "No folder name can be made of this app name.", fix="Give --directory.", exit_code=USAGE
        )
    return found
