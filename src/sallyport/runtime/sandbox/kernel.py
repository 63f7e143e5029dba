"""The kernel's doors that Python does not open: namespaces, mounts, capabilities, filters.

Each raises `OSError` with the name of the call. This file imports the standard library alone: the
warden loads it by path.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

NEW_TIME: Final = 0x80
NEW_MOUNTS: Final = 0x00020000
NEW_CGROUPS: Final = 0x02000000
NEW_UTS: Final = 0x04000000
NEW_IPC: Final = 0x08000000
NEW_USER: Final = 0x10000000
NEW_PROCESSES: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000

READ_ONLY: Final = 1
NO_SUID: Final = 2
NO_DEVICES: Final = 4
NO_PROGRAMS: Final = 8
REMOUNT: Final = 32
_BIND: Final = 4096
_RECURSIVE: Final = 16384
_PRIVATE: Final = 1 << 18
_DETACH: Final = 2
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000

_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_CAPBSET_DROP: Final = 24
_PR_CAPBSET_READ: Final = 23
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_CAP_SYS_ADMIN: Final = 21
_CAPABILITY_VERSION_3: Final = 0x20080522
_MOUNT_SETATTR: Final = 442
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _check(_libc.unshare(flags), "unshare")


def enter(descriptor: int, flags: int) -> None:
    """Enter the namespaces of these kinds of the process behind a pidfd."""
    _check(_libc.setns(descriptor, flags), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system."""
    _check(
        _libc.mount(
            source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
        ),
        f"mount {kind} on {target}",
    )


def bind(source: str, target: str, flags: int) -> None:
    """Show `source` and what is mounted below it at `target`, with these flags added to all."""
    _check(
        _libc.mount(
            source.encode(), target.encode(), None, ctypes.c_ulong(_BIND | _RECURSIVE), None
        ),
        f"bind {source} on {target}",
    )
    if flags:
        add_mount_flags(target, flags)


def add_mount_flags(target: str, flags: int) -> None:
    """Add flags to a mount and all below it."""
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    _check(
        _libc.syscall(
            _MOUNT_SETATTR,
            _AT_FDCWD,
            target.encode(),
            ctypes.c_uint(_AT_RECURSIVE),
            attributes,
            ctypes.c_size_t(len(attributes)),
        ),
        f"mount_setattr {target}",
    )


def make_mounts_private() -> None:
    """Let no mount of this namespace reach another, nor the other way round."""
    _check(_libc.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE | _RECURSIVE), None), "mount /")


def unmount(target: str) -> None:
    """Take a mount and all below it out of the tree; it ends when nobody uses it."""
    _check(_libc.umount2(target.encode(), _DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; what was the root appears at `old`."""
    _check(_libc.syscall(_PIVOT_ROOT[platform.machine()], new.encode(), old.encode()), "pivot_root")


def set_host_name(name: bytes) -> None:
    _check(_libc.sethostname(name, ctypes.c_size_t(len(name))), "sethostname")


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of the same user may look into this one."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl dumpable")


def map_ids(proc: int, uid: int, gid: int, inside: int) -> None:
    """In a new user namespace: be `inside`, where outside one is `uid` and `gid`.

    `proc` is this process's folder in a /proc of the host.
    """
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {uid} 1"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        file = os.open(name, os.O_WRONLY, dir_fd=proc)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def drop_capabilities() -> None:
    """Hold no capability, and have none to gain."""
    # Dropping from the bounding set takes CAP_SETPCAP; without it there is nothing to drop.
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def may_administer() -> bool:
    """Whether this process holds CAP_SYS_ADMIN."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, data), "capget")
    return bool(data[0] & (1 << _CAP_SYS_ADMIN))


def gain_no_privileges() -> None:
    """From here on no program gives this process more than it has."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl no_new_privs")


def install_filter(program: bytes) -> None:
    """Hold this process and all that it starts to a seccomp filter, for ever."""
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    described = Program(len(program) // 8, ctypes.addressof(code))
    _check(
        _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0),
        "seccomp",
    )


def _check(result: int, call: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
