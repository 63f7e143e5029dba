"""What the writer keeps of shared questions is what the transaction would read, whoever wrote.

Planted bugs that this was seen to fail on: answers kept over a savepoint that is undone, over a
nested one, over a statement that deletes, over an UPDATE that is not prepared, over a prepared one,
over what another connection committed; the tables of a question's outer joins left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, select, update

from access_world import READ, World, actor, seed
from sallyport.model.redemption import Denial
from sallyport.store import client_secrets, schema, service_accounts
from sallyport.store.engine import Store, Tx, open_store
from sallyport.store.prepared import Prepared
from sallyport.store.seal import Sealer
from sallyport.store.standing import prepare_standing
from sallyport.tokens import service
from sallyport.tokens.policy import TokenPolicy
from sallyport.vocab import ids
from sallyport.vocab.clock import ManualClock

WithStore = Callable[..., Any]
RULES = TokenPolicy()
SECRET = ids.digest("one")
_secret = schema.integration_secret.c
_grant = schema.grant.c


async def add_robot(world: World) -> service_accounts.ServiceAccount:
    return await world.store.write(
        service_accounts.create_service_account,
        actor(world.admin),
        world.admin.id,
        "Robot",
        world.link(),
        SECRET,
    )


async def issue(store: Store, client_id: str) -> str:
    """What comes of a request: "issued", or why not."""
    try:
        issued = await service.issue(
            store, RULES, client_id, frozenset({READ}), None, secret_digest=SECRET
        )
    except client_secrets.SecretEnded:
        return "secret ended"
    return issued.why if isinstance(issued, Denial) else "issued"


async def end_secret(tx: Tx, client_id: str) -> None:
    await client_secrets.end_secrets(tx, client_id)


def test_a_verb_sees_what_the_one_before_it_in_its_group_changed(
    with_store: WithStore, store_url: str
) -> None:
    async def scenario(store: Store) -> None:
        robot = await add_robot(await seed(store))
        group = (
            issue(store, robot.client_id),
            store.write(end_secret, robot.client_id),
            issue(store, robot.client_id),
        )
        first, _, last = await asyncio.gather(*group)
        assert (first, last) == ("issued", "secret ended")

    # On PostgreSQL verbs that are asked for at once have no order.
    if store_url.startswith("sqlite"):
        with_store(scenario)


PLACES = {
    "membership": schema.membership.c.account_id,
    "integration_link": schema.integration_link.c.client_id,
    "account": schema.account.c.id,
    "access_grant": schema.grant.c.account_id,
}


@pytest.mark.parametrize("table", PLACES)
def test_a_row_that_is_deleted_stands_behind_nothing(with_store: WithStore, table: str) -> None:
    async def scenario(store: Store) -> None:
        robot = await add_robot(await seed(store))
        column = PLACES[table]
        key = robot.client_id if column.name == "client_id" else robot.grant.account_id

        async def take_away(tx: Tx) -> None:
            await tx.run(delete(column.table).where(column == key))

        assert await issue(store, robot.client_id) == "issued"
        await store.write(take_away)
        assert await issue(store, robot.client_id) != "issued"

    with_store(scenario)


def test_what_was_undone_was_never_so(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        robot = await add_robot(await seed(store))

        async def ends_asks_and_fails(tx: Tx) -> None:
            await end_secret(tx, robot.client_id)
            await client_secrets.while_live(tx, robot.client_id, SECRET, end_secret, "")

        async def ends_in_vain(tx: Tx) -> None:
            with pytest.raises(client_secrets.SecretEnded):
                async with tx.conn.begin_nested():
                    await ends_asks_and_fails(tx)

        assert await issue(store, robot.client_id) == "issued"
        for verb in (ends_asks_and_fails, ends_in_vain):
            asked = (store.write(verb), issue(store, robot.client_id))
            assert (await asyncio.gather(*asked, return_exceptions=True))[1] == "issued"

    with_store(scenario)


def test_what_another_connection_committed_counts(
    with_store: WithStore, store_url: str, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        robot = await add_robot(await seed(store))
        other = open_store(store_url, clock, Sealer(bytes(32)))
        try:
            assert await issue(store, robot.client_id) == "issued"
            await other.write(end_secret, robot.client_id)
            assert await issue(store, robot.client_id) == "secret ended"
        finally:
            await other.close()

    with_store(scenario)


_END = Prepared(
    update(schema.integration_secret)
    .where(_secret.client_id == bindparam("client"))
    .values(revoked_at=1)
)


def test_a_prepared_statement_that_writes_counts(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        robot = await add_robot(await seed(store))

        async def end(tx: Tx) -> int:
            return await tx.do(_END, client=robot.client_id)

        assert await issue(store, robot.client_id) == "issued"
        assert await store.write(end) == 1
        assert await issue(store, robot.client_id) == "secret ended"

    with_store(scenario)


def test_the_standing_is_read_from_these_tables() -> None:
    """What is written to any of them makes an answer about a standing untrue."""
    assert prepare_standing(_grant.id == bindparam("grant_id")).tables == {
        "access_grant",
        "account",
        "environment",
        "integration",
        "integration_link",
        "membership",
        "organization_admin",
        "site",
    }


def test_a_question_with_another_inside_is_read_from_both() -> None:
    inner = select(schema.account.c.id).where(schema.account.c.active.is_(True))
    asked = Prepared(select(_grant.id).where(_grant.account_id.in_(inner)))
    assert asked.tables == {"access_grant", "account"}
    assert Prepared(select(schema.site.alias("s").c.id)).tables == {"site"}
