"""Deployments: `/apps/{app_id}/environments/{environment}/deployments`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from sallyport.control.deploy import VersionLine, as_member, deploy, list_versions
from sallyport.control.versions import compare_versions, roll_back
from sallyport.vocab.clock import iso
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.api.base import ActorDep, ServicesDep

router = APIRouter(
    prefix="/apps/{app_id}/environments/{environment}/deployments", tags=["deployments"]
)

_ZIP = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, openapi_extra=_ZIP)
async def create_deployment(
    app_id: str,
    environment: str,
    request: Request,
    actor: ActorDep,
    services: ServicesDep,
    tag: str | None = None,
    approve: Annotated[list[str] | None, Query()] = None,
) -> dict[str, Any]:
    """Deploy the app folder in the body, a zip with manifest.yml at its root."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/zip":
        raise Refused(
            Reason.MEDIA_TYPE_UNSUPPORTED,
            "A deployment is a zip archive.",
            fix="Send the archive with Content-Type: application/zip.",
        )
    done = await deploy(
        services,
        actor,
        app_id,
        environment,
        await request.body(),
        tag=tag,
        approve=approve or (),
    )
    return {
        "version": done.version.number,
        "major": done.is_major,
        "version_id": done.version.id,
        "environment_id": done.environment.id,
        "bundle": done.version.bundle,
        "tag": done.version.tag,
        "packages": [
            {"name": each.name, "version": each.version, "sha256": each.sha256}
            for each in done.packages
        ],
        "warnings": [as_member(each) for each in done.warnings],
    }


@router.get("")
async def list_deployments(
    app_id: str, environment: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The newest versions of the environment, newest first."""
    found = await list_versions(services, actor, app_id, environment)
    return {"items": [_line(each) for each in found]}


@router.get("/{version}/compare/{old}")
async def compare_deployments(
    app_id: str, environment: str, version: str, old: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """What changed from the version numbered `old` to `version`."""
    found = await compare_versions(services, actor, app_id, environment, old, version)
    return {
        "old": found.old.number,
        "new": found.new.number,
        "same_code": found.same_code,
        "items": [
            {"what": each.what, "change": each.change, "name": each.name, "detail": each.detail}
            for each in found.differences
        ],
    }


@router.post("/{version}/roll-back", status_code=201)
async def roll_back_deployment(
    app_id: str, environment: str, version: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Deploy an earlier version of the newest major anew, as its next minor."""
    made = await roll_back(services, actor, app_id, environment, version)
    return {
        "version": made.number,
        "version_id": made.id,
        "environment_id": made.environment_id,
        "bundle": made.bundle,
        "tag": made.tag,
    }


def _line(line: VersionLine) -> dict[str, Any]:
    return {
        "version": line.number,
        "version_id": line.id,
        "tag": line.tag,
        "created_at": iso(line.created_at),
        "created_by": line.created_by,
        "bundle": line.bundle,
        "live": line.live,
    }
