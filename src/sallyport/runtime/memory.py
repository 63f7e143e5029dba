"""Memory: what a worker and everything that it started hold together.

The operating system limits each process; many small ones of one worker are counted here. Where the
sandbox has a cgroup for the worker, the kernel has stopped them before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sallyport.runtime.processes import descendants

MEGABYTE: Final = 1024 * 1024
# What the language's own runtime holds, on top of what the manifest grants to the app.
BASE_MB: Final = 128

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def held_by(pid: int) -> int:
    """Bytes of private memory of a process and its descendants; files and shared memory left out.

    0 for a process that is gone.
    """
    return sum(_private(each) for each in (pid, *descendants(pid)))


def is_over(pid: int, memory_mb: int) -> bool:
    """Whether they hold more than an app with this `memoryMB` may."""
    return held_by(pid) > (memory_mb + BASE_MB) * MEGABYTE


def _private(pid: int) -> int:
    try:
        _size, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(resident) - int(shared)) * _PAGE
