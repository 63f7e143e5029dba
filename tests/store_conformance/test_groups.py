"""Verbs that share a commit do as each would alone, though what they add is written together.

Planted bugs that this was seen to fail on: held rows written after the savepoint of the verb that
needs them; not written before a query, prepared or not; the error of one verb's rows that of all;
a verb kept, or undone, that swallowed its neighbour's error; an error left from the first attempt;
a child's rows before its parent's; no savepoint at all, or none gone back to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from sallyport.model.directory import PLATFORM
from sallyport.store import schema
from sallyport.store.engine import Reader, Store, Tx
from sallyport.store.prepared import Prepared, prepared_insert
from sallyport.vocab.events import Event

WithStore = Callable[..., Any]

_product = schema.product.c
_ADD_PRODUCT = prepared_insert(schema.product, ("key", "name"))
_ADD_ORGANIZATION = prepared_insert(schema.organization, ("id", "name", "created_at"))
_ADD_SITE = prepared_insert(schema.site, ("id", "organization_id", "name", "host", "created_at"))
_PRODUCT = Prepared(select(_product.key).where(_product.key == bindparam("key")))


async def add(tx: Tx, key: str, *, fails: bool = False) -> str:
    """A row that is written at the end, and its audit."""
    tx.add(_ADD_PRODUCT, key=key, name=key)
    tx.audit(Event.PRODUCT_DECLARED, PLATFORM, subject=key)
    if fails:
        raise ValueError(key)
    return key


async def write(tx: Tx, key: str, *, fails: bool = False) -> str:
    """A row that is written at once, and its audit."""
    await tx.run(insert(schema.product).values(key=key, name=key))
    return await _audited(tx, key, fails)


async def _audited(tx: Tx, key: str, fails: bool) -> str:
    tx.audit(Event.PRODUCT_DECLARED, PLATFORM, subject=key)
    if fails:
        raise ValueError(key)
    return key


async def add_orphan(tx: Tx) -> None:
    """A site without its organization, which no database takes."""
    tx.add(_ADD_SITE, id="s", organization_id="nobody", name="s", host="s", created_at=tx.now)


async def held(reader: Reader) -> tuple[list[str], list[str]]:
    """Products, and what the audit is of."""
    keys = await reader.all(select(_product.key).order_by(_product.key))
    subjects = await reader.all(select(schema.audit.c.subject).order_by(schema.audit.c.seq))
    return [row[0] for row in keys], [row[0] for row in subjects]


async def together(*verbs: Any) -> list[Any]:
    return await asyncio.gather(*verbs, return_exceptions=True)


def test_what_is_added_is_there_for_the_verbs_that_follow(
    with_store: WithStore, store_url: str
) -> None:
    async def by_query(tx: Tx) -> int:
        return int(await tx.scalar(select(func.count()).select_from(schema.product)))

    async def by_prepared(tx: Tx) -> bool:
        return await tx.one(_PRODUCT, key="b") is not None

    async def again(tx: Tx) -> None:
        async with tx.conn.begin_nested():
            await tx.run(insert(schema.product).values(key="c", name="c"))

    async def scenario(store: Store) -> None:
        said = await together(
            store.write(add, "a"),
            store.write(by_query),
            store.write(add, "b"),
            store.write(by_prepared),
            store.write(add, "c"),
            store.write(again),
        )
        assert said[:5] == ["a", 1, "b", True, "c"]
        assert isinstance(said[5], IntegrityError)
        assert await store.read(held) == (["a", "b", "c"], ["a", "b", "c"])

    # On PostgreSQL verbs that are asked for at once have no order.
    if store_url.startswith("sqlite"):
        with_store(scenario)


def test_verbs_of_every_kind_fail_alone(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        said = await together(
            store.write(add, "a"),
            store.write(write, "b", fails=True),
            store.write(add, "c", fails=True),
            store.write(write, "d"),
            store.write(write, "e", fails=True),
            store.write(add, "f"),
        )
        assert [type(each) for each in said] == [str, ValueError, ValueError, str, ValueError, str]
        keys, subjects = await store.read(held)
        assert (keys, sorted(subjects)) == (["a", "d", "f"], ["a", "d", "f"])

    with_store(scenario)


def test_a_row_that_cannot_be_written_is_the_fault_of_its_own_verb(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        said = await together(
            store.write(add, "a"), store.write(add_orphan), store.write(write, "b")
        )
        assert (said[0], said[2]) == ("a", "b")
        assert isinstance(said[1], IntegrityError)
        said = await together(store.write(add, "c"), store.write(add_orphan), store.write(add, "d"))
        assert (said[0], said[2]) == ("c", "d")
        assert isinstance(said[1], IntegrityError)
        keys, subjects = await store.read(held)
        assert (keys, sorted(subjects)) == (["a", "b", "c", "d"], ["a", "b", "c", "d"])

    with_store(scenario)


@pytest.mark.parametrize("gives_up", [False, True])
def test_a_verb_that_takes_its_neighbours_error_for_its_own_is_run_again(
    with_store: WithStore, gives_up: bool
) -> None:
    async def careless(tx: Tx) -> str:
        try:
            await tx.run(insert(schema.product).values(key="a", name="a"))
        except Exception:
            if gives_up:
                raise ValueError("a") from None
            return "not written"
        return "written"

    async def scenario(store: Store) -> None:
        said = await together(store.write(add_orphan), store.write(careless))
        assert isinstance(said[0], IntegrityError)
        assert said[1] == "written"
        assert (await store.read(held))[0] == ["a"]

    with_store(scenario)


def test_rows_come_after_those_that_they_refer_to(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        runs = []

        async def site(tx: Tx) -> None:
            runs.append("site")
            tx.add(
                _ADD_SITE, id="s", organization_id="first", name="s", host="s", created_at=tx.now
            )

        async def both(tx: Tx, key: str) -> None:
            runs.append(key)
            tx.add(_ADD_ORGANIZATION, id=key, name=key, created_at=tx.now)
            tx.add(_ADD_SITE, id=key, organization_id=key, name=key, host=key, created_at=tx.now)

        await store.write(both, "first")
        assert await together(store.write(site), store.write(both, "o")) == [None, None]
        assert sorted(runs) == ["first", "o", "site"]

    with_store(scenario)
