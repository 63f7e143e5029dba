"""Service accounts that members ask for: a client that holds nothing until an admin answers.

The client waits in the queue of approvals like any other, with an empty link and no secret. An
approval gives it an account and a grant; a refusal ends it. Its first secret is made afterwards,
for who asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from sallyport.model.access import ClientKind, IntegrationLink
from sallyport.model.approval import Approval, ApprovalState
from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.approvals import read_approval
from sallyport.store.client_secrets import add_secret
from sallyport.store.engine import Reader, Tx
from sallyport.store.integrations import (
    create_integration,
    integration_by_client_id,
    revoke_integration,
)
from sallyport.store.links import answer_approval
from sallyport.store.locks import hold_integration
from sallyport.store.service_accounts import open_service_account

_approval = schema.approval.c
_integration = schema.integration.c
_secret = schema.integration_secret.c


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """What a member asked for. `ended`: the client is no more; `told`: it has had a secret."""

    approval: Approval
    name: str
    ended: bool
    told: bool


async def ask_service_account(
    tx: Tx, actor: Actor, owner_id: str, name: str, link: IntegrationLink, note: str
) -> str:
    """Have a service account wait for the site's admins; its client id."""
    made = await create_integration(
        tx, actor, owner_id, name, (), link, None, kind=ClientKind.SERVICE, note=note, asked=True
    )
    return made.client_id


async def service_requests_of(reader: Reader, account_id: str) -> list[ServiceRequest]:
    """What an account asked for, newest first."""
    told = (
        select(func.count())
        .select_from(schema.integration_secret)
        .where(_secret.client_id == _integration.client_id)
        .scalar_subquery()
    )
    rows = await reader.all(
        select(
            schema.approval,
            _integration.name.label("client_name"),
            _integration.revoked_at.label("client_ended"),
            told.label("secrets"),
        )
        .join(schema.integration, _integration.client_id == _approval.client_id)
        .where(
            _integration.kind == ClientKind.SERVICE.value,
            _integration.owner_id == account_id,
            _approval.asked_by == account_id,
            _approval.state != ApprovalState.TAKEN_BACK.value,
        )
        .order_by(_approval.asked_at.desc(), _approval.id)
    )
    return [
        ServiceRequest(
            read_approval(row), row.client_name, row.client_ended is not None, row.secrets > 0
        )
        for row in rows
    ]


async def answer_service_request(
    tx: Tx, actor: Actor, approval: Approval, approved: frozenset[str], reason: str
) -> bool:
    """Answer what waits: with scopes the service account lives, without it ends.

    False, and nothing changes, where it waits no more. Raises `Refused` NOT_FOUND where it ended.
    """
    if not await answer_approval(tx, actor, approval, approved, reason):
        return False
    asked = await integration_by_client_id(tx, approval.client_id)
    assert asked is not None
    if approved & approval.asked:
        await open_service_account(tx, actor, asked.client_id, asked.name, asked.links[0])
    else:
        await revoke_integration(tx, actor, approval.client_id, reason)
    return True


async def give_first_secret(tx: Tx, actor: Actor, client_id: str, secret_digest: str) -> bool:
    """Write the first secret of an approved service account. False where it has had one.

    Raises `Refused` NOT_FOUND where it ended.
    """
    await hold_integration(tx, client_id)
    if await tx.first(select(_secret.id).where(_secret.client_id == client_id).limit(1)):
        return False
    await add_secret(tx, actor, client_id, secret_digest)
    return True
