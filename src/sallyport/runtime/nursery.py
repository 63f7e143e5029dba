"""Nursery: where the workers of one image come from, whatever language its app is written in.

A `zygote.Zygote` forks the workers of Python apps, a `node_nursery.NodeNursery` takes those of Node
apps from the stock of warm processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sallyport.runtime.hello import Ends
from sallyport.runtime.logs import Level


class ImportFailure(msgspec.Struct, frozen=True, array_like=True):
    """Why a module of the app could not be imported."""

    message: str
    trace: str


class Nursery(Protocol):
    """What pools, crews and workers need of it.

    `state` goes from starting to ready to ended. `failures` are the modules that could not be
    imported, `import_lines` what was printed meanwhile, to be claimed by the first call.
    """

    state: Literal["starting", "ready", "ended"]
    end_reason: str
    failures: dict[str, ImportFailure]
    import_lines: list[tuple[Level, bytes]]
    used_at: float
    reaped: asyncio.Future[None]
    on_end: Callable[[], None]

    @property
    def idle(self) -> bool: ...

    def failure_of(self, handler: str) -> ImportFailure | None:
        """Why the module of this handler could not be imported, or None."""
        ...

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Call back once the nursery is ready or has ended; at once if it is so already."""
        ...

    def worker(self, directory: Path) -> Ends:
        """A worker on its way; `directory` may be its own. Raises `OSError`."""
        ...

    def forked(self, pid: int) -> None:
        """A worker has said who it is."""
        ...

    def fork_failed(self) -> None:
        """A worker was given up before it said who it is."""
        ...

    def worker_ended(self, pid: int) -> None:
        """A worker is gone."""
        ...

    def stop(self, reason: str = "it was stopped") -> None:
        """End it and everything below it."""
        ...
