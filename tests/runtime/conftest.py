"""A pool of real processes for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_world import Play, Scenario, World, no_capability

from sallyport.model.decision import LogLine
from sallyport.runtime.call import Limits
from sallyport.runtime.pool import Pool
from sallyport.runtime.sandbox import PlainDriver
from sallyport.vocab.clock import SystemClock


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs an async scenario in a world of its own: `play(scenario, queue_ms=50)`."""

    def run(
        scenario: Scenario,
        capability_handler: Callable[[str, bytes], Awaitable[bytes]] = no_capability,
        **limits: int,
    ) -> None:
        async def go() -> None:
            faults: list[dict[str, Any]] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _loop, fault: faults.append(fault))
            lines: list[LogLine] = []
            pool = Pool(
                PlainDriver(), Limits(**limits), SystemClock(), lines.append, capability_handler
            )
            try:
                await scenario(World(tmp_path, pool, lines))
            finally:
                await pool.close()
            assert faults == []

        asyncio.run(go())

    return run
