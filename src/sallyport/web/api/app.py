"""The control API as one ASGI application; `app` mounts it at /api/v1."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from sallyport.control.services import Services
from sallyport.vocab import problem
from sallyport.web.api import (
    admin,
    approvals,
    apps,
    audit,
    decisions,
    deployments,
    documentation,
    environments,
    grants,
    installations,
    integrations,
    keys,
    logs,
    me,
    members,
    operator,
    service_accounts,
    service_requests,
    setup,
    sites,
    triggers,
    usage,
    vouching,
)
from sallyport.web.api.body_limit import BodyLimit
from sallyport.web.api.edges import Edges
from sallyport.web.api.refusals import HANDLERS, Unexpected

ROUTERS = (
    setup.router,
    me.router,
    sites.router,
    operator.router,
    keys.router,
    vouching.router,
    apps.router,
    environments.router,
    deployments.router,
    documentation.router,
    installations.router,
    triggers.router,
    admin.router,
    audit.router,
    members.router,
    approvals.router,
    integrations.router,
    service_accounts.router,
    service_requests.router,
    grants.router,
    logs.router,
    decisions.router,
    usage.router,
)

_PROBLEM: dict[str, Any] = {
    "description": "A problem document (RFC 9457)",
    "content": {
        problem.MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "reason"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "reason": {"type": "string"},
                    "fix": {"type": "string"},
                },
            }
        }
    },
}


def build_api(services: Services) -> FastAPI:
    """The control API over these services, OpenAPI at `/openapi.json` under its mount."""
    api = FastAPI(
        title="Sallyport control API",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
        responses={"default": _PROBLEM, 422: _PROBLEM},
    )
    # The last one added is the outermost.
    for layer in (BodyLimit, Unexpected, Edges):
        api.add_middleware(layer)
    api.state.services = services
    for router in ROUTERS:
        api.include_router(router)
    return api
