"""Service accounts: a client, the account that it acts as, its one link and its one grant.

They are made of the rows that every client has, so that the gateway decides about their calls as
about any other, and whatever ends a grant, a link or a membership ends them too.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Row, Select, bindparam, insert

from sallyport.model.access import ClientKind, IntegrationLink, ServiceAccount
from sallyport.model.directory import Actor, SiteRole
from sallyport.model.redemption import Action, Denial, Issue, Standing, Verdict
from sallyport.model.target import Target
from sallyport.store import schema
from sallyport.store.accounts import SERVICE, set_active
from sallyport.store.directory import end_membership, set_membership
from sallyport.store.engine import Reader, Tx
from sallyport.store.grants import add_family, add_to_grant, read_grant, select_grants
from sallyport.store.integrations import create_integration, revoke_integration
from sallyport.store.standing import prepare_standing, read_standing
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_integration = schema.integration.c
_grant = schema.grant.c

_LIVE = (
    _integration.kind == ClientKind.SERVICE.value,
    _integration.revoked_at.is_(None),
    _grant.revoked_at.is_(None),
)
_STANDING = prepare_standing(
    _grant.client_id == bindparam("client_id"), *_LIVE, others=(_integration.name,)
)


class ServiceRules(Protocol):
    """What `issue_to_service` asks; `tokens.policy` answers. Pure."""

    def judge_service(
        self,
        standing: Standing,
        asked: frozenset[str] | None,
        jkt: str | None,
        target: Target | None,
    ) -> Verdict: ...

    def family_expires_at(self, scopes: frozenset[str], now: int) -> int: ...


async def create_service_account(
    tx: Tx, actor: Actor, owner_id: str, name: str, link: IntegrationLink, secret_digest: str | None
) -> ServiceAccount:
    """A service account, which may do what `link` says and nothing else.

    With its first secret, unless it is to have keys.
    """
    made = await create_integration(
        tx, actor, owner_id, name, (), link, secret_digest, kind=ClientKind.SERVICE
    )
    return await open_service_account(tx, actor, made.client_id, name, link)


async def open_service_account(
    tx: Tx, actor: Actor, client_id: str, name: str, link: IntegrationLink
) -> ServiceAccount:
    """Give a client the account that it acts as, and a grant of all that its link holds."""
    account_id = new_id()
    await tx.run(
        insert(schema.account).values(
            id=account_id,
            email=f"{client_id}@service.invalid",
            name=name,
            password_hash=None,
            operator=False,
            active=True,
            kind=SERVICE,
            created_at=tx.now,
        )
    )
    await set_membership(tx, account_id, link.site_id, SiteRole.MEMBER)
    scopes = link.scopes | link.product_scopes
    await add_to_grant(tx, client_id, account_id, link.site_id, link.environment_id, scopes)
    tx.audit(
        Event.SERVICE_ACCOUNT_CREATED,
        actor,
        site_id=link.site_id,
        app_id=link.app_id,
        subject=client_id,
        name=name,
        environment_id=link.environment_id,
        scopes=sorted(scopes),
    )
    created = await service_account_by_client(tx, client_id)
    assert created is not None
    return created


async def service_account_by_client(reader: Reader, client_id: str) -> ServiceAccount | None:
    """The live service account with this client id."""
    row = await reader.first(_service_accounts().where(_integration.client_id == client_id))
    return None if row is None else _read(row)


async def service_accounts_of_site(reader: Reader, site_id: str) -> list[ServiceAccount]:
    """The live service accounts of a site, newest first."""
    rows = await reader.all(
        _service_accounts()
        .where(_grant.site_id == site_id)
        .order_by(_integration.created_at.desc(), _integration.client_id)
    )
    return [_read(row) for row in rows]


async def end_service_account(tx: Tx, actor: Actor, account: ServiceAccount) -> bool:
    """End a service account with its secrets and tokens. False where it had ended."""
    if not await revoke_integration(tx, actor, account.client_id):
        return False
    await set_active(tx, account.grant.account_id, False)
    await end_membership(tx, account.grant.account_id, account.grant.site_id)
    tx.audit(
        Event.SERVICE_ACCOUNT_ENDED,
        actor,
        site_id=account.grant.site_id,
        app_id=account.grant.app_id,
        subject=account.client_id,
        name=account.name,
    )
    return True


async def issue_to_service(
    tx: Tx,
    rules: ServiceRules,
    client_id: str,
    asked: frozenset[str] | None,
    family_id: str,
    address: str | None,
    jkt: str | None = None,
    target: Target | None = None,
) -> Issue | Denial | None:
    """A token family for a service account, audited; None where there is no such account.

    `jkt` is the key that it proved to hold, `target` what the token is to be for.
    Each token has a family of its own, so that it can be revoked alone (RFC 7009).
    """
    row = await tx.one(_STANDING, client_id=client_id)
    if row is None:
        return None
    standing, (client_name,) = read_standing(row)
    verdict = rules.judge_service(standing, asked, jkt, target)
    if verdict.action is not Action.ISSUE:
        return Denial(verdict.error, verdict.why)
    expires_at = rules.family_expires_at(verdict.scopes, tx.now)
    resource = None if target is None else target.resource
    add_family(tx, family_id, standing.grant.id, verdict.scopes, expires_at, resource=resource)
    tx.audit(
        Event.TOKEN_ISSUED,
        Actor(standing.grant.account_id, client_name, address=address),
        site_id=standing.grant.site_id,
        app_id=standing.grant.app_id,
        subject=family_id,
        client_id=client_id,
        grant_id=standing.grant.id,
        scopes=sorted(verdict.scopes),
    )
    return Issue(
        standing.grant,
        family_id,
        expires_at,
        verdict.scopes,
        refreshable=False,
        resource=resource,
    )


def _service_accounts() -> Select[Any]:
    """Live ones alone; the columns are a grant's and a few of its client's."""
    return (
        select_grants()
        .add_columns(
            _integration.name.label("client_name"),
            _integration.owner_id,
            _integration.created_at.label("client_created_at"),
        )
        .join(schema.integration, _integration.client_id == _grant.client_id)
        .where(*_LIVE)
    )


def _read(row: Row[Any]) -> ServiceAccount:
    return ServiceAccount(
        row.client_id, row.client_name, read_grant(row), row.owner_id, row.client_created_at
    )
