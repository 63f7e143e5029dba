"""One platform of two gateway processes for all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from several_world import Several, deploy, several_on

from app_world import DeployedApp


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    with several_on(tmp_path_factory.mktemp("several") / "data") as made:
        yield made


@pytest.fixture(scope="session")
def app(several: Several) -> DeployedApp:
    return deploy(several)


@pytest.fixture
def both(several: Several) -> Iterator[list[httpx.Client]]:
    """A client of each process."""
    clients = several.both()
    yield clients
    for client in clients:
        client.close()
