"""An act and its audit row become durable together, or neither does.

Planted bug that this was seen to fail on: `Store.write` flushing the audit in a transaction of its
own after the verb's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from access_world import actor, seed
from sallyport.store.engine import Store
from sallyport.store.grants import end_grant, grants_of_account
from sallyport.store.integrations import integration_by_client_id, revoke_integration

WithStore = Callable[..., Any]


def rename(old: str, new: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    return work


async def unaudited(store: Store, act: Callable[[], Awaitable[object]]) -> None:
    """The act fails where its row cannot be written."""
    await store.run_sync(rename("audit", "audit_gone"))
    try:
        with pytest.raises(DBAPIError):
            await act()
    finally:
        await store.run_sync(rename("audit_gone", "audit"))


def test_what_cannot_be_audited_does_not_happen(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        world = await seed(store)
        tokens = await world.tokens()
        admin = actor(world.admin)
        heard: list[object] = []
        store.feed.follow(heard.append)
        (line,) = await store.read(grants_of_account, world.member.id)
        await unaudited(store, lambda: store.write(end_grant, admin, line.grant.id))
        await unaudited(store, lambda: store.write(revoke_integration, admin, world.client_id))
        await unaudited(store, lambda: world.refresh(tokens.refresh_token))
        assert len(await store.read(grants_of_account, world.member.id)) == 1
        integration = await store.read(integration_by_client_id, world.client_id)
        assert integration is not None
        assert integration.revoked_at is None
        assert heard == [], "and no gateway is told of it"
        assert (await world.refresh(tokens.refresh_token)).issue.family_id == tokens.issue.family_id

    with_store(scenario)
