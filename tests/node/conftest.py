"""A pool with a real Node for each test; npm packages, installed once for each lock file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_world import Play, Scenario, World

from npm import installed
from sallyport.model.decision import LogLine
from sallyport.runtime.call import Limits
from sallyport.runtime.node_process import SCRIPTS
from sallyport.runtime.node_program import NodeProgram, NoNode, find_node
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import CapabilityAnswer, CapabilityHandler, RunningCall
from sallyport.runtime.sandbox import Driver, PlainDriver
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.vocab.clock import SystemClock

APPS = Path(__file__).parent / "apps"


@pytest.fixture(scope="session")
def node() -> NodeProgram:
    try:
        return find_node("")
    except NoNode as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def packages(node: NodeProgram) -> Path:
    """A folder with the packages of `apps/package-lock.json` in `node_modules`."""
    folder = installed(APPS)
    shutil.rmtree(folder / "work", ignore_errors=True)
    return folder


async def no_capability(_running: RunningCall, _payload: bytes) -> CapabilityAnswer:
    return b'{"status":404,"headers":[]}', b'{"code":"NOT_SUPPORTED","message":"none here"}'


@pytest.fixture
def play(tmp_path: Path, node: NodeProgram) -> Play:
    """Runs an async scenario in a world of its own: `play(scenario, queue_ms=50)`."""
    return _player(tmp_path, node, PlainDriver())


@pytest.fixture
def play_in_sandbox(tmp_path: Path, node: NodeProgram) -> Iterator[Play]:
    """As `play`, with every process in a sandbox."""
    driver = SandboxDriver((node.path, SCRIPTS))
    try:
        driver.check()
    except OSError as error:
        pytest.skip(f"This host has no sandbox: {error.strerror or error}")
    yield _player(tmp_path, node, driver)
    driver.close()


def _player(folder: Path, node: NodeProgram, driver: Driver) -> Play:
    def run(
        scenario: Scenario, capability_handler: CapabilityHandler = no_capability, **limits: int
    ) -> None:
        async def go() -> None:
            faults: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, fault: faults.append(fault)
            )
            lines: list[LogLine] = []
            pool = Pool(
                driver,
                Limits(**{"warm_node_workers": 1, **limits}),
                SystemClock(),
                lines.append,
                capability_handler,
                node,
            )
            try:
                await scenario(World(pool, folder, lines))
            finally:
                await pool.close()
            assert faults == []

        asyncio.run(go())

    return run
