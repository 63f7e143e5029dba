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

    Quick to ask, and never too little: what forks still share is counted for each of them. 0 for a
    process that is gone.
    """
    return sum(_private(each) for each in (pid, *descendants(pid)))


def is_over(pid: int, memory_mb: int) -> bool:
    """Whether they hold more than an app with this `memoryMB` may, shared pages counted once."""
    most = (memory_mb + BASE_MB) * MEGABYTE
    if held_by(pid) <= most:
        return False
    return sum(_share(each) for each in (pid, *descendants(pid))) > most


def kernel_kills() -> int:
    """How many processes of this host the kernel has killed for want of memory since its start.

    Those that a control group's limit killed are among them. 0 where the kernel does not say.
    """
    try:
        text = Path("/proc/vmstat").read_text()
    except OSError:
        return 0
    _, found, rest = text.partition("\noom_kill ")
    return int(rest.split(None, 1)[0]) if found else 0


class KernelKills:
    """Tells whether the kernel has killed for memory lately, for a worker that just ended.

    The kernel does not tell us which process it was, so a worker that dies of itself in the second
    in which another is killed for memory is taken for one too.
    """

    def __init__(self) -> None:
        self._before = kernel_kills()

    def look(self) -> None:
        """Kills up to now are no longer lately; to be called every second."""
        self._before = kernel_kills()

    @property
    def lately(self) -> bool:
        return kernel_kills() > self._before


def _private(pid: int) -> int:
    try:
        _size, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(resident) - int(shared)) * _PAGE


def _share(pid: int) -> int:
    """A process's share of its anonymous memory: a page that forks share is split among them."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        return _private(pid)
    _, found, rest = text.partition("\nPss_Anon:")
    return int(rest.split(None, 1)[0]) * 1024 if found else _private(pid)
