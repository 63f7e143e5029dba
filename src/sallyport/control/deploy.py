"""Deploying: lint, keep the code, take the next number.

Contributors deploy to every environment but production, app admins to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sallyport.control.authority import require_app_part, require_app_work
from sallyport.control.names import clean_name
from sallyport.control.places import environment_named
from sallyport.control.runnable import require_runnable
from sallyport.control.services import Services
from sallyport.manifest import api_notes
from sallyport.manifest.document import MAX_BYTES
from sallyport.manifest.lint import lint
from sallyport.manifest.load import from_json, read_manifest, to_json
from sallyport.manifest.requirements import LARGEST as LARGEST_REQUIREMENTS
from sallyport.manifest.requirements import PROJECT_FILE, REQUIREMENTS_FILE, read_requirements
from sallyport.manifest.rules import code_folder
from sallyport.manifest.source import Files
from sallyport.manifest.versioning import needs_major
from sallyport.model.api_notes import ApiNotes
from sallyport.model.directory import Actor
from sallyport.model.manifest import Diagnostic, Manifest
from sallyport.model.registry import Environment, Version
from sallyport.runtime.archive import DAMAGED
from sallyport.runtime.bundle import open_archive, store_bundle
from sallyport.runtime.wheels import lock_of, read_lock
from sallyport.store import environments, versions
from sallyport.store.engine import Reader, Tx
from sallyport.store.versions import Judge, VersionLine
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import app_ari, new_id

__all__ = ["MAJOR_VERSION_RULE", "Deployed", "VersionLine", "deploy", "list_versions"]

MANIFEST_FILE = "manifest.yml"
MAJOR_VERSION_RULE = "MAJOR_VERSION_RULE"
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Package:
    """A package beside the app's code; `sha256` is that of its wheel."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Upload:
    """What an archive says of itself."""

    manifest: Manifest
    notes: ApiNotes
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that is durable. `is_major`: site admins must upgrade to get it."""

    version: Version
    environment: Environment
    is_major: bool
    warnings: tuple[Diagnostic, ...]

    @property
    def packages(self) -> tuple[Package, ...]:
        """What the app's requirements were resolved to."""
        return tuple(
            Package(each["name"], each["version"], each["sha256"])
            for each in read_lock(self.version.dependencies)
        )


async def deploy(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    archive: bytes,
    *,
    tag: str | None = None,
    approve: Collection[str] = (),
) -> Deployed:
    """Make a version of the app folder in `archive`, a zip with manifest.yml at its root.

    Installations on the newest major run it from their next call on. Raises `Refused`: an invalid
    manifest (`diagnostics`), scopes that are not registered (`missing_scopes`, contract section
    (c.4)), a major version that `approve` does not name (`reasons`, contract section (k)), packages
    that cannot be had, a runtime that this host has not.
    """
    tag = clean_name(tag, "tag") if tag is not None else None
    approved = _approved(approve)

    async def may(reader: Reader) -> Mapping[str, str]:
        await require_app_work(reader, actor, app_id, environment_key)
        environment = await environment_named(reader, app_id, environment_key)
        held = await environments.list_variables(reader, environment.id)
        return {each.key: each.value for each in held if each.value is not None}

    variables = await services.store.read(may)
    upload = await asyncio.to_thread(read_upload, archive, variables)
    manifest = upload.manifest
    _require_own(manifest, app_id)
    await asyncio.to_thread(require_runnable, manifest, archive, services.node)
    async with services.resolver.wheels(await _requirements(manifest, archive)) as wheels:
        bundle = await asyncio.to_thread(store_bundle, services.bundles, archive, wheels)

    async def work(tx: Tx) -> Deployed:
        await require_app_work(tx, actor, app_id, environment_key)
        environment = await environment_named(tx, app_id, environment_key)
        version, is_major = await versions.add_version(
            tx,
            actor,
            environment,
            manifest=to_json(manifest),
            bundle=bundle,
            tag=tag,
            judge=judge_of(manifest, approved),
            dependencies=lock_of(wheels) if wheels else None,
            notes=api_notes.to_json(upload.notes) if upload.notes else None,
        )
        return Deployed(version, environment, is_major, upload.warnings)

    return await services.store.write(work)


async def _requirements(manifest: Manifest, archive: bytes) -> tuple[str, ...]:
    """The packages that a Python app asks for. Raises `Refused`."""
    if not manifest.runtime.is_python:
        return ()
    files = await asyncio.to_thread(
        _read_files, archive, (REQUIREMENTS_FILE, PROJECT_FILE), LARGEST_REQUIREMENTS + 1
    )
    return read_requirements(files.get(REQUIREMENTS_FILE), files.get(PROJECT_FILE))


async def list_versions(
    services: Services, actor: Actor, app_id: str, environment_key: str
) -> tuple[VersionLine, ...]:
    """The newest versions of an environment, for those who build the app. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[VersionLine, ...]:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        return await versions.versions_of(reader, environment.id, MOST_LISTED)

    return await services.store.read(ask)


def read_upload(archive: bytes, variables: Mapping[str, str]) -> Upload:
    """What an upload says of itself, and the warnings about it; blocks. Raises `Refused`."""
    data, files = _open(archive)
    read = read_manifest(data, MANIFEST_FILE, source=files, variables=variables)
    found = (*read.diagnostics, *lint(read))
    if read.manifest is None:
        raise _has_errors(MANIFEST_FILE, found)
    folder = code_folder(read.root)
    notes = _read_files(
        archive, api_notes.notes_files(read.manifest, folder), api_notes.LARGEST + 1
    )
    noted = api_notes.read_api_notes(read.manifest, notes.get, folder)
    if any(each.level == "error" for each in noted.diagnostics):
        raise _has_errors(noted.diagnostics[0].file, noted.diagnostics)
    found = (*found, *noted.diagnostics)
    warnings = tuple(each for each in found if each.level == "warning")
    return Upload(read.manifest, noted.notes, warnings)


def _has_errors(file: str, found: Sequence[Diagnostic]) -> Refused:
    errors = [each for each in found if each.level == "error"]
    return Refused(
        Reason.MANIFEST_INVALID,
        f"{file} has {len(errors)} error{'s' if len(errors) != 1 else ''}. "
        f"The first, at {errors[0].line}:{errors[0].column}: {errors[0].message}",
        fix="Run `sallyport lint` and mend what it lists.",
        members={"diagnostics": [as_member(each) for each in found]},
    )


def judge_of(manifest: Manifest, approved: frozenset[str]) -> Judge:
    """What `add_version` asks under its lock: may this be a version, and must it be a major?"""

    def judge(newest: Version | None, registered: frozenset[str]) -> bool:
        missing = sorted(manifest.custom_scopes - registered)
        if missing:
            request_id = new_id()
            raise Refused(
                Reason.SCOPES_NOT_REGISTERED,
                "Deployment failed due to missing scopes. Contact your admin to register the "
                f"missing scopes, then try again. (requestId: {request_id})",
                fix="An app admin registers them with `sallyport custom-scopes create`: "
                + ", ".join(missing),
                members={"missing_scopes": missing, "request_id": request_id},
            )
        reasons = needs_major(from_json(newest.manifest), manifest) if newest is not None else ()
        if reasons and MAJOR_VERSION_RULE not in approved:
            raise Refused(
                Reason.MAJOR_NEEDS_APPROVAL,
                "This deployment makes a major version, which admins must upgrade to: "
                + "; ".join(reasons),
                fix=f"If that is meant, deploy with --approve {MAJOR_VERSION_RULE}.",
                members={"reasons": list(reasons)},
            )
        return bool(reasons)

    return judge


def as_member(diagnostic: Diagnostic) -> dict[str, object]:
    """A finding as a member of an answer."""
    return {name: getattr(diagnostic, name) for name in Diagnostic.__slots__}


def _approved(rules: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(rules) - {MAJOR_VERSION_RULE})
    if unknown:
        raise Refused(
            Reason.INVALID_INPUT,
            "That is not a rule that can be approved.",
            fix=f"The only rule is {MAJOR_VERSION_RULE}.",
        )
    return frozenset(rules)


def _require_own(manifest: Manifest, app_id: str) -> None:
    if manifest.app_id != app_id:
        raise Refused(
            Reason.MANIFEST_INVALID,
            "app.id in the manifest is not the id of this app.",
            fix=f"Set app.id to {app_ari(app_id)}, or deploy to the app that it names.",
        )


def _open(archive: bytes) -> tuple[bytes, Files]:
    """The manifest's bytes, at most one more than may be, and the names of the other files."""
    with open_archive(archive) as opened:
        files = Files(opened.namelist())
        if not files.has(MANIFEST_FILE):
            raise _not_an_app(f"There is no {MANIFEST_FILE} at the root of the archive.")
    return _read_files(archive, (MANIFEST_FILE,), MAX_BYTES + 1)[MANIFEST_FILE], files


def _read_files(archive: bytes, names: Sequence[str], most: int) -> dict[str, bytes]:
    """The first `most` bytes of those of these files that there are. Raises `Refused`."""
    found: dict[str, bytes] = {}
    with open_archive(archive) as opened:
        for name in names:
            try:
                with opened.open(name) as file:
                    found[name] = file.read(most)
            except KeyError:
                continue
            except DAMAGED:
                raise _not_an_app(f"{name} in the archive cannot be read.") from None
    return found


def _not_an_app(detail: str) -> Refused:
    return Refused(
        Reason.BUNDLE_INVALID, detail, fix="Deploy with `sallyport deploy`, which packs the folder."
    )
