"""Schema migrations (Alembic), run by `migrate` at start and nowhere else."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from sallyport.store.engine import Store


async def migrate(store: Store) -> None:
    """Bring the database to the newest schema; does nothing where it is there already."""
    await store.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
