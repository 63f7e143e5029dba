"""The control API as one ASGI application; `app` mounts it at /api/v1."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from fastapi import FastAPI

from sallyport.control.services import Services
from sallyport.web.api.body_limit import BodyLimit
from sallyport.web.api.refusals import HANDLERS, Unexpected

# One file of this package each, with a `router`.
NOUNS = (
    "setup",
    "me",
    "sites",
    "operator",
    "apps",
    "environments",
    "deployments",
    "installations",
    "admin",
    "integrations",
    "grants",
    "logs",
    "decisions",
)


def build_api(services: Services) -> FastAPI:
    """The control API over these services, OpenAPI at `/openapi.json` under its mount."""
    api = FastAPI(
        title="Sallyport control API",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
    )
    api.add_middleware(BodyLimit)
    api.add_middleware(Unexpected)
    api.state.services = services
    for noun in NOUNS:
        module = f"{__package__}.{noun}"
        if find_spec(module) is not None:
            api.include_router(importlib.import_module(module).router)
    return api
