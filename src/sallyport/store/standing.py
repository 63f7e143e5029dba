"""What stands behind a grant: the facts without which its tokens are nothing."""

from __future__ import annotations

from sallyport.model.access import ClientKind
from sallyport.model.redemption import Standing
from sallyport.store.authority import site_role
from sallyport.store.engine import Reader
from sallyport.store.grants import grant_by_id
from sallyport.store.integrations import integration_by_client_id


async def standing_of(reader: Reader, grant_id: str) -> Standing | None:
    """Grant, integration, link and membership as they are now; None where there is no grant."""
    grant = await grant_by_id(reader, grant_id)
    if grant is None:
        return None
    integration = await integration_by_client_id(reader, grant.client_id)
    links = integration.links if integration is not None else ()
    here = (grant.site_id, grant.environment_id)
    return Standing(
        grant=grant,
        integration_alive=integration is not None and integration.revoked_at is None,
        link=next((each for each in links if (each.site_id, each.environment_id) == here), None),
        member=await site_role(reader, grant.account_id, grant.site_id) is not None,
        public=integration is not None and integration.kind is ClientKind.PUBLIC,
        require_dpop=integration is not None and integration.require_dpop,
    )
