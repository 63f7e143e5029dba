"""What the histories of grants make in the tables, and what they read there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from access_world import CALLBACK
from decision_world import Gateway
from oauth_world import Server
from sallyport.store import accounts, integrations, schema
from sallyport.store.engine import Reader, Tx
from sallyport.vocab import ids


async def gateway_of(server: Server) -> Gateway:
    return Gateway(server.world, server.keys, server.url)


async def add_account(tx: Tx, email: str) -> Any:
    return await accounts.add_account(tx, email, "Somebody", None, operator=False)


async def add_client(tx: Tx, by: Any, world: Any, name: str, secret: str) -> str:
    made = await integrations.create_integration(
        tx,
        by,
        world.developer.id,
        name,
        (CALLBACK,),
        world.link(),
        ids.digest(secret),
        forge_compatible=True,
    )
    return made.client_id


async def grant_id(reader: Reader, client: str, account: str, site: str) -> str | None:
    grant = schema.grant.c
    found: str | None = await reader.scalar(
        select(grant.id).where(
            grant.client_id == client,
            grant.account_id == account,
            grant.site_id == site,
            grant.revoked_at.is_(None),
        )
    )
    return found


async def tables(reader: Reader, clients: tuple[str, ...]) -> dict[str, int]:
    """How many families there are, unused refresh tokens in one, and rows about tokens issued."""
    grant, family, token = schema.grant.c, schema.token_family.c, schema.refresh_token.c
    audit = schema.audit.c
    mine = select(family.id).join(schema.grant, grant.id == family.grant_id)
    mine = mine.where(grant.client_id.in_(clients))
    unused = await reader.all(
        select(func.count())
        .select_from(schema.refresh_token)
        .where(token.family_id.in_(mine), token.consumed_at.is_(None))
        .group_by(token.family_id)
    )
    rows = await reader.scalar(
        select(func.count())
        .select_from(schema.audit)
        .where(audit.event.in_(["token:issued", "token:refreshed"]), audit.subject.in_(mine))
    )
    return {
        "families": len(await reader.all(mine)),
        "most_unused": max((row[0] for row in unused), default=0),
        "audited": int(rows),
    }
