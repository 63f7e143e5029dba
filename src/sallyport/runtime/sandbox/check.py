"""What holds in here? Asked by a process in its sandbox, of the kernel, by trying.

Each answer is the name of a `driver.Guarantee`. This file imports the standard library alone: the
warden loads it by path.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

_PR_GET_NO_NEW_PRIVS: Final = 39
_CAPABILITY_VERSION_3: Final = 0x20080522
_SECRETS: Final = (
    "/etc/shadow",
    "/etc/hostname",
    "/run",
    "/var",
    "/sys",
    "/host/etc",
    "/proc/keys",
)

_libc = ctypes.CDLL(None, use_errno=True)


def what_holds() -> list[str]:
    """The guarantees that this process sees kept."""
    return [name for name, holds in _CHECKS.items() if holds()]


def _own_user() -> bool:
    if os.getuid() == 0 or os.getgid() == 0 or len(os.getgroups()) > 1:
        return False
    return _fails(lambda: os.setuid(0), PermissionError, OSError)


def _own_filesystem() -> bool:
    read_only = _fails(lambda: os.mkdir("/app/x"), OSError) and _fails(
        lambda: os.mkdir("/x"), OSError
    )
    return read_only and not any(os.path.exists(path) for path in _SECRETS)


def _own_process_tree() -> bool:
    # The parent is outside: the kernel has no number for it here.
    if os.getpid() != 1 or os.getppid() != 0:
        return False
    return not os.path.isdir("/proc/1") or sorted(
        name for name in os.listdir("/proc") if name.isdigit()
    ) == ["1"]


def _no_network() -> bool:
    kinds = (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET)
    return all(_fails(partial(socket.socket, kind, socket.SOCK_DGRAM), OSError) for kind in kinds)


def _filtered() -> bool:
    # A question that the kernel answers to everybody.
    return int(_libc.personality(ctypes.c_ulong(0xFFFFFFFF))) == -1


def _no_capabilities() -> bool:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(*[1] * 6)
    return _libc.capget(header, data) == 0 and not any(data)


def _limited(*which: int) -> bool:
    return all(resource.getrlimit(each)[1] != resource.RLIM_INFINITY for each in which)


def _fails(attempt: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        attempt()
    except errors:
        return True
    return False


_CHECKS: Final[dict[str, Callable[[], bool]]] = {
    "EMPTY_ENVIRONMENT": lambda: not os.environ,
    "NO_NEW_PRIVILEGES": lambda: _libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
    "NO_CAPABILITIES": _no_capabilities,
    "MEMORY_LIMIT": lambda: _limited(resource.RLIMIT_DATA),
    "FILE_LIMITS": lambda: _limited(resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE),
    "OWN_USER": _own_user,
    "OWN_FILESYSTEM": _own_filesystem,
    "OWN_PROCESS_TREE": _own_process_tree,
    "NO_NETWORK": _no_network,
    "SYSTEM_CALL_FILTER": _filtered,
    "PROCESS_LIMIT": lambda: _limited(resource.RLIMIT_NPROC),
}
