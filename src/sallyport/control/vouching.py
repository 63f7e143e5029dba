"""The operator's word for integrations: which are known to be whose they say they are."""

from __future__ import annotations

from sallyport.control.authority import require_operator
from sallyport.control.services import Services
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store import integrations
from sallyport.store.engine import Tx
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid


async def verify_integration(
    services: Services, actor: Actor, client_id: str, *, verified: bool
) -> None:
    """Vouch for an integration, or take that back; by an operator. Raises `Refused`.

    It ends by itself when the integration gets another name or another callback URL.
    """

    async def change(tx: Tx) -> None:
        await require_operator(tx, actor)
        found = (
            await integrations.integration_by_client_id(tx, client_id)
            if is_uuid(client_id)
            else None
        )
        if found is None or found.revoked_at is not None or found.kind is ClientKind.SERVICE:
            raise Refused(
                Reason.NOT_FOUND,
                "There is no such integration.",
                fix="Check the client id; consent pages and lists of integrations show it.",
            )
        await integrations.set_verified(tx, actor, client_id, verified)

    await services.store.write(change)
