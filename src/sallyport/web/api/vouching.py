"""The operator's word for integrations: `/operator/integrations/{client_id}/verified`."""

from __future__ import annotations

from fastapi import APIRouter

from sallyport.control.vouching import verify_integration
from sallyport.web.api.base import ActorDep, ServicesDep

router = APIRouter(prefix="/operator/integrations", tags=["operator"])


@router.put("/{client_id}/verified", status_code=204)
async def verify(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Vouch for an integration: consent pages show it as verified."""
    await verify_integration(services, actor, client_id, verified=True)


@router.delete("/{client_id}/verified", status_code=204)
async def unverify(client_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Vouch for an integration no more."""
    await verify_integration(services, actor, client_id, verified=False)
