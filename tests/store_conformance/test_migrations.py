"""Migrations end at the schema that the code uses, and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

import sallyport.store.migrations as migrations
from sallyport.store.engine import Store
from sallyport.store.migrations import migrate
from sallyport.store.schema import metadata

WithStore = Callable[..., Any]


def test_a_migrated_database_has_the_schema_that_the_code_uses(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        def differences(connection: Connection) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return list(compare_metadata(context, metadata))

        assert await store.run_sync(differences) == []

    with_store(scenario)


def test_migrating_again_changes_nothing(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        await migrate(store)
        names = await store.run_sync(lambda conn: inspect(conn).get_table_names())
        assert set(names) == {*metadata.tables, "alembic_version"}

    with_store(scenario)


def test_migrations_can_be_undone(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        def undo(connection: Connection) -> list[str]:
            config = Config()
            config.set_main_option("script_location", str(Path(migrations.__file__).parent))
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            return inspect(connection).get_table_names()

        assert await store.run_sync(undo) == ["alembic_version"]

    with_store(scenario)
