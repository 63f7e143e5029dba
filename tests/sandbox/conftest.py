"""Two demos, one with sandboxes and one without, and the same hostile apps on both."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest
from sandbox_world import Field, field_on

from demo_world import SALLYPORT


@pytest.fixture(scope="session")
def doctor() -> dict[str, Any]:
    """What `sallyport doctor` says of this host."""
    done = subprocess.run([SALLYPORT, "doctor", "--json"], capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if said["fit"] else 1)
    return said


@pytest.fixture(scope="session", params=["sandbox", "plain"])
def field(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, doctor: dict[str, Any]
) -> Iterator[Field]:
    driver = cast(str, request.param)
    if driver == "sandbox" and not doctor["fit"]:
        pytest.skip(f"This host has no sandbox: {doctor['problem']}")
    with field_on(driver, tmp_path_factory.mktemp(driver), doctor) as made:
        yield made
