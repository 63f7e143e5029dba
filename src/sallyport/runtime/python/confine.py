"""What a process of app code gives up before it runs a line of the app."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522

_MEGABYTE: Final = 1024 * 1024
# What the interpreter itself maps, on top of what the manifest grants to the app.
_BASE_DATA: Final = 64 * _MEGABYTE
_BASE_ADDRESSES: Final = 512 * _MEGABYTE
_LARGEST_FILE: Final = 512 * _MEGABYTE
_OPEN_FILES: Final = 256

_libc = ctypes.CDLL(None, use_errno=True)


def confine(memory_mb: int, *, drop_capabilities: bool, limit_addresses: bool = True) -> None:
    """Limit memory and files, and make it impossible to gain privileges. Raises `OSError`."""
    memory = memory_mb * _MEGABYTE
    _limit(resource.RLIMIT_DATA, memory + _BASE_DATA)
    if limit_addresses:
        _limit(resource.RLIMIT_AS, memory + _BASE_ADDRESSES)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    if drop_capabilities:
        _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # Processes of the same user may not read the memory or the environment of this one.
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; exit if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, so that none can slip away."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _drop_capabilities() -> None:
    # Dropping from the bounding set takes CAP_SETPCAP; without it there is nothing to drop.
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
