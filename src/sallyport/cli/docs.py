"""`docs`: an app's API documentation as files, to publish anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from sallyport.cli.client import signed_in
from sallyport.cli.failures import Failed
from sallyport.cli.folder import app_id
from sallyport.cli.lazy import Noun
from sallyport.cli.options import app_option, environment_option
from sallyport.cli.terminal import done, note, plain

_FILES = frozenset({"index.html", "sallyport.css", "openapi.json"})


@click.group(cls=Noun)
def docs() -> None:
    """An app's API documentation."""


@docs.command("build")
@environment_option
@click.option(
    "-s",
    "--site",
    metavar="SITE",
    help="Show addresses of this site, a host or host/product; by default for readers on any site.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("api-docs"),
    show_default=True,
    help="The folder to write to.",
)
@app_option
def build(environment: str, site: str | None, output: Path, app: str | None) -> None:
    """Write the documentation as files that need no platform: index.html and openapi.json.

    What callers should know of a function is in src/<module>.api.yaml.
    """
    app = app_id(app)
    with signed_in() as api:
        made = api.get("apps", app, "documentation", environment=environment, site=site)
    files = made["files"]
    # The names are the platform's words, and this folder is not the platform's.
    if not isinstance(files, dict) or not files.keys() <= _FILES:
        raise Failed("The platform sent files that this command does not know.", fix="Update it.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (output / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(
            f"Cannot write to {plain(str(output))}: {error.strerror or error}.",
            fix="Choose another folder with --output.",
        ) from None
    done(f"Wrote the documentation of {made['title']}, version {made['version']}")
    for name in sorted(files):
        note(str(output / name))
