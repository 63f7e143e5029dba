"""The app in the current folder: its manifest, its custom scopes, the app id they are for."""

from __future__ import annotations

from pathlib import Path

from sallyport.cli.failures import USAGE, Failed
from sallyport.vocab.ids import APP_ARI_PREFIX, is_uuid

MANIFEST = "manifest.yml"
CUSTOM_SCOPES = "custom-scopes.yaml"


def manifest_bytes() -> bytes:
    """./manifest.yml as it is. Raises `Failed`."""
    try:
        return Path(MANIFEST).read_bytes()
    except FileNotFoundError:
        raise Failed(
            f"There is no {MANIFEST} in this folder.",
            fix="Go to the app's folder, or make an app with `sallyport create`.",
        ) from None


def app_id(given: str | None) -> str:
    """The app's id (UUID): `given` as UUID or ARI, else `app.id` of ./manifest.yml."""
    if given is not None:
        found = given.removeprefix(APP_ARI_PREFIX).lower()
        if not is_uuid(found):
            raise Failed(
                f"'{given}' is not an app id.",
                fix=f"Give the UUID, or {APP_ARI_PREFIX}<uuid>.",
                exit_code=USAGE,
            )
        return found
    if not Path(MANIFEST).exists():
        raise Failed(
            f"Which app? There is no {MANIFEST} in this folder.",
            fix="Go to the app's folder, or give --app.",
            exit_code=USAGE,
        )
    written = written_app_id(manifest_bytes())
    if written is None:
        raise Failed(
            f"The app in this folder is not registered: {MANIFEST} has no app.id.",
            fix="Run `sallyport register`.",
        )
    return written


def written_app_id(manifest: bytes) -> str | None:
    """The UUID in `app.id`, None where there is none.

    A manifest that has other errors still tells which app it is. Raises `Failed` where it is not
    YAML at all.
    """
    from sallyport.manifest.document import Mapping, Unreadable, compose

    try:
        app = compose(manifest).root.get("app")
    except Unreadable as error:
        raise Failed(
            f"{MANIFEST} failed to parse content - {error.reason}",
            lines=[f"{MANIFEST}:{error.line}:{error.column}"],
            fix="Run `sallyport lint` and mend what it finds.",
        ) from None
    node = app.text("id") if isinstance(app, Mapping) else None
    if node is None:
        return None
    found = node.text.removeprefix(APP_ARI_PREFIX).lower()
    return found if is_uuid(found) else None
