"""The authorization server, one for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauth_world import Server, authorization_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authorization_server(tmp_path_factory.mktemp("oauth")) as running:
        yield running
