"""A change is in force in the processes that are no further behind than it is old."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sallyport.control.reach import Reach, reach_of
from sallyport.control.services import Services
from sallyport.model.platform import ProcessState
from sallyport.store.engine import open_store
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import ManualClock

STATE = ProcessState("a", 1, 1_000, 0, 0, 0, 0, 0, 1, 0, "sandbox", 0)


@pytest.mark.parametrize(
    ("lags", "changed_at", "reached"),
    [((), 5, 0), ((0, 0), 1_000, 2), ((0, 10), 995, 1), ((10, 10), 990, 2), ((0,), 1_001, 0)],
)
def test_reach(
    tmp_path: Path, clock: ManualClock, lags: tuple[int, ...], changed_at: int, reached: int
) -> None:
    async def processes() -> tuple[ProcessState, ...]:
        return tuple(replace(STATE, lag_ms=lag) for lag in lags)

    async def nothing(_installation_id: str) -> None:
        return None

    async def ask() -> Reach:
        store = open_store(f"sqlite:///{tmp_path}/x.db", clock, Sealer(bytes(32)))
        try:
            services = Services(store, "http://p.test", tmp_path, nothing, processes=processes)
            return await reach_of(services, changed_at)
        finally:
            await store.close()

    found = asyncio.run(ask())
    assert found == Reach(len(lags), reached, clock.now())
    assert found.everywhere == (len(lags) == reached)
