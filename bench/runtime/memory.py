"""What processes hold, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sallyport.runtime.processes import descendants


@dataclass(frozen=True, slots=True)
class Held:
    """Megabytes: `uss` would be free if it ended, `pss` adds its share of what is shared."""

    uss: float
    pss: float


def held_by_tree(pid: int) -> Held:
    """What a process and everything below it hold."""
    found = [_rollup(each) for each in (pid, *descendants(pid))]
    return Held(sum(each.uss for each in found), sum(each.pss for each in found))


def _rollup(pid: int) -> Held:
    uss = pss = 0
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return Held(0, 0)
    for line in lines:
        name, value, *_ = line.split()
        if name in ("Private_Clean:", "Private_Dirty:"):
            uss += int(value)
        elif name == "Pss:":
            pss += int(value)
    return Held(uss / 1024, pss / 1024)
