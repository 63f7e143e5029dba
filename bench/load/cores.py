"""Which processor the servers have, and which the load."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """`server` and `load` are processor numbers, None where they cannot be held apart."""

    server: int | None
    load: int | None

    def for_server(self, command: list[str]) -> list[str]:
        return _pinned(self.server, command)

    def for_load(self, command: list[str]) -> list[str]:
        return _pinned(self.load, command)

    def told(self) -> str:
        if self.server is None:
            return "Servers and load share the processors, so rates are not those of one core."
        return (
            f"All processes of a server run on processor {self.server}, "
            f"the load generator on processor {self.load} (`taskset`)."
        )


def choose_cores() -> Cores:
    """The first processor that we may use for servers, the last for the load."""
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2 or shutil.which("taskset") is None:
        return Cores(None, None)
    return Cores(ours[0], ours[-1])


def _pinned(core: int | None, command: list[str]) -> list[str]:
    return command if core is None else ["taskset", "-c", str(core), *command]
