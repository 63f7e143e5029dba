"""Apps and who builds them: `/apps`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from sallyport.control import apps
from sallyport.control.apps import AppMember, AppView, EnvironmentView
from sallyport.model.registry import AppRole
from sallyport.vocab.clock import iso
from sallyport.vocab.ids import app_ari
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/apps", tags=["apps"])


class NewApp(Body):
    name: str


class Part(Body):
    role: Literal["admin", "contributor"]


@router.post("", status_code=201)
async def register_app(body: NewApp, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Register an app; the caller becomes its admin."""
    return app_item(await apps.register_app(services, actor, body.name))


@router.get("")
async def list_apps(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The apps that the caller builds."""
    return {"items": [app_item(each) for each in await apps.list_apps(services, actor)]}


@router.get("/{app_id}")
async def show_app(app_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One app with its environments."""
    return app_item(await apps.show_app(services, actor, app_id))


@router.get("/{app_id}/members")
async def list_members(app_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Who builds the app."""
    members = await apps.app_members(services, actor, app_id)
    return {"items": [_member(each) for each in members]}


@router.put("/{app_id}/members/{account}")
async def set_member(
    app_id: str, account: str, body: Part, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Give an account, by id or email, a role on the app."""
    role = AppRole(body.role)
    return _member(await apps.set_app_member(services, actor, app_id, account, role))


@router.delete("/{app_id}/members/{account}", status_code=204)
async def end_member(app_id: str, account: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take an account's role on the app away."""
    await apps.end_app_member(services, actor, app_id, account)


def app_item(view: AppView) -> dict[str, Any]:
    return {
        "app_id": view.app.id,
        "ari": app_ari(view.app.id),
        "name": view.app.name,
        "role": view.role.value,
        "created_at": iso(view.app.created_at),
        "environments": [environment_item(each) for each in view.environments],
    }


def environment_item(view: EnvironmentView) -> dict[str, Any]:
    return {
        "environment_id": view.environment.id,
        "key": view.environment.key,
        "type": view.environment.type.value,
        "created_at": iso(view.environment.created_at),
        "live_version": view.live_version,
    }


def _member(member: AppMember) -> dict[str, Any]:
    return {
        "account_id": member.account_id,
        "email": member.email,
        "name": member.name,
        "role": member.role.value,
    }
