"""Environments with their custom scopes and variables: `/apps/{app_id}/environments`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import environments, scopes, variables
from sallyport.model.manifest import ScopeDeclaration
from sallyport.model.registry import Variable
from sallyport.web.api.apps import environment_item
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/apps/{app_id}/environments", tags=["environments"])


class NewEnvironment(Body):
    key: str


class DeclaredScope(Body):
    name: str
    description: str
    display_name: str | None = None


class DeclaredScopes(Body):
    scopes: list[DeclaredScope]


class NewValue(Body):
    value: str
    secret: bool = False


@router.get("")
async def list_environments(app_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The environments of an app."""
    found = await environments.list_environments(services, actor, app_id)
    return {"items": [environment_item(each) for each in found]}


@router.post("", status_code=201)
async def create_environment(
    app_id: str, body: NewEnvironment, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """A further environment."""
    return environment_item(
        await environments.create_environment(services, actor, app_id, body.key)
    )


@router.delete("/{environment}", status_code=204)
async def delete_environment(
    app_id: str, environment: str, actor: ActorDep, services: ServicesDep
) -> None:
    """Delete an environment with all that hangs on it."""
    await environments.delete_environment(services, actor, app_id, environment)


@router.get("/{environment}/custom-scopes")
async def list_scopes(
    app_id: str, environment: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The scopes registered in the environment."""
    found = await scopes.list_scopes(services, actor, app_id, environment)
    return {
        "items": [
            {
                "name": each.name,
                "display_name": each.display_name,
                "description": each.description,
            }
            for each in found
        ]
    }


@router.post("/{environment}/custom-scopes")
async def register_scopes(
    app_id: str,
    environment: str,
    body: DeclaredScopes,
    actor: ActorDep,
    services: ServicesDep,
) -> dict[str, Any]:
    """Register scopes, or change the texts of registered ones; none is ever taken away."""
    declared = [
        ScopeDeclaration(each.name, each.description, each.display_name) for each in body.scopes
    ]
    done = await scopes.register_scopes(services, actor, app_id, environment, declared)
    return {
        "registered": list(done.new),
        "changed": list(done.changed),
        "unchanged": list(done.unchanged),
    }


@router.get("/{environment}/variables")
async def list_variables(
    app_id: str, environment: str, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """The variables of the environment; secret ones without their value."""
    found = await variables.list_variables(services, actor, app_id, environment)
    return {"items": [_variable(each) for each in found]}


@router.put("/{environment}/variables/{key}")
async def set_variable(
    app_id: str,
    environment: str,
    key: str,
    body: NewValue,
    actor: ActorDep,
    services: ServicesDep,
) -> dict[str, Any]:
    """Set a variable."""
    return _variable(
        await variables.set_variable(
            services, actor, app_id, environment, key, body.value, secret=body.secret
        )
    )


@router.delete("/{environment}/variables/{key}", status_code=204)
async def unset_variable(
    app_id: str, environment: str, key: str, actor: ActorDep, services: ServicesDep
) -> None:
    """Remove a variable."""
    await variables.unset_variable(services, actor, app_id, environment, key)


def _variable(variable: Variable) -> dict[str, Any]:
    return {"key": variable.key, "value": variable.value, "secret": variable.secret}
