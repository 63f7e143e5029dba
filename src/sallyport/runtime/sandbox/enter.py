"""The way into the sandbox: the steps, in their order, that nobody comes back from.

`build_root` makes the one folder tree that all app code sees, read-only; the warden lives in it
too, with the host's tree at `/host`. `enter` is run by the fresh fork that will be a worker: it
leaves every namespace of the host's, loses sight of `/host`, becomes a user that owns nothing, and
gives up all that the kernel lets it give up. This file imports the standard library alone, besides
its two neighbours: the warden loads it by path.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sallyport.runtime.sandbox import filter, kernel
else:
    import _sallyport_filter as filter
    import _sallyport_kernel as kernel

HOST: Final = "/host"
APP: Final = "/app"
SCRATCH: Final = "/tmp"
INSIDE: Final = 1000

_MEGABYTE: Final = 1024 * 1024
# What the interpreter itself maps, on top of what the manifest grants to the app.
_BASE_DATA: Final = 64 * _MEGABYTE
_BASE_ADDRESSES: Final = 512 * _MEGABYTE
_PROGRAM_DATA: Final = 256 * _MEGABYTE
_OPEN_FILES: Final = 256
_SCRATCH_FILES: Final = 4096
_ROOT_FILES: Final = 4096

_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_SHARED: Final = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
)
_FILES: Final = {
    "/etc/passwd": f"app:x:{INSIDE}:{INSIDE}::{SCRATCH}:/\n",
    "/etc/group": f"app:x:{INSIDE}:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_SEALED: Final = kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES


class Limits(NamedTuple):
    """What one worker may use. `uid` is the host's user that it becomes; None: it stays who it is.

    `processes` counts threads too.
    """

    memory_mb: int
    uid: int | None = None
    scratch_mb: int = 64
    processes: int = 64
    may_execute: bool = False


def own_user_namespace(uid: int, gid: int) -> None:
    """Become root of a user namespace in which there is nobody but this user."""
    kernel.unshare(kernel.NEW_USER)
    proc = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
    try:
        kernel.map_ids(proc, uid, gid, 0)
    finally:
        os.close(proc)


def build_root(readable: list[str]) -> None:
    """Make the tree that app code sees the root of this mount namespace, the host's at `/host`.

    `readable` are files and folders of the host that it shows besides the system's libraries.
    """
    kernel.make_mounts_private()
    kernel.mount(
        "tmpfs", "/tmp", "tmpfs", kernel.NO_SUID, f"mode=755,size=1m,nr_inodes={_ROOT_FILES}"
    )
    os.chdir("/tmp")
    os.mkdir("/tmp/host", 0o700)
    kernel.pivot_root("/tmp", "/tmp/host")
    os.chdir("/")
    for folder in (APP, SCRATCH, "/proc", "/dev", "/etc"):
        os.mkdir(folder, 0o755)
    for name in _DEVICES:
        _show(f"/dev/{name}", 0)
    os.symlink("/proc/self/fd", "/dev/fd")
    os.symlink(SCRATCH, "/dev/shm")
    for path, text in _FILES.items():
        _make_parents(path)
        Path(path).write_text(text)
    for path in (*_LIBRARIES, *_SHARED, *readable):
        if os.path.lexists(HOST + path) and not os.path.lexists(path):
            _show(path, _SEALED)
    kernel.mount("", "/", "", kernel.READ_ONLY | kernel.NO_SUID | kernel.REMOUNT)


def enter(bundle: str | None, limits: Limits) -> None:
    """Take this process, the first of its process namespace, into a sandbox of its own.

    `bundle` is the app's folder on the host, to be seen at `/app`. Raises `OSError`, and then the
    process must end.
    """
    proc = os.open(f"{HOST}/proc/self", os.O_PATH | os.O_DIRECTORY)
    kernel.unshare(
        kernel.NEW_MOUNTS
        | kernel.NEW_NETWORK
        | kernel.NEW_IPC
        | kernel.NEW_UTS
        | kernel.NEW_CGROUPS
    )
    if bundle is not None:
        kernel.bind(HOST + bundle, APP, _SEALED)
    scratch = kernel.NO_SUID | kernel.NO_DEVICES | kernel.NO_PROGRAMS
    size = f"mode=1777,size={limits.scratch_mb}m,nr_inodes={_SCRATCH_FILES}"
    kernel.mount("tmpfs", SCRATCH, "tmpfs", scratch, size)
    with contextlib.suppress(OSError):
        # In a container whose own /proc is masked the kernel shows none at all: not needed.
        kernel.mount("proc", "/proc", "proc", scratch | kernel.READ_ONLY, "subset=pid,hidepid=2")
    kernel.unmount(HOST)
    kernel.set_host_name(b"app")
    os.chdir(SCRATCH)
    _set_limits(limits)
    _change_user(proc, limits)
    kernel.drop_capabilities()
    kernel.gain_no_privileges()
    kernel.set_dumpable(False)
    kernel.install_filter(filter.program(may_execute=limits.may_execute))


def _change_user(proc: int, limits: Limits) -> None:
    if limits.uid is not None:
        os.setgroups([])
        os.setresgid(limits.uid, limits.uid, limits.uid)
        os.setresuid(limits.uid, limits.uid, limits.uid)
    # The files of a process that has changed its user are root's until it says otherwise.
    kernel.set_dumpable(True)
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.NEW_USER)
    except OSError:
        # A user of its own is enough; without one, the namespace is what sets the worker apart.
        if limits.uid is None:
            raise
    else:
        kernel.map_ids(proc, uid, gid, INSIDE)
    os.close(proc)


def _set_limits(limits: Limits) -> None:
    memory = limits.memory_mb * _MEGABYTE
    # A program such as Node reserves far more addresses than it uses.
    data, addresses = (
        (_PROGRAM_DATA, resource.RLIM_INFINITY)
        if limits.may_execute
        else (_BASE_DATA, memory + _BASE_ADDRESSES)
    )
    for which, value in (
        (resource.RLIMIT_DATA, memory + data),
        (resource.RLIMIT_AS, addresses),
        (resource.RLIMIT_FSIZE, limits.scratch_mb * _MEGABYTE),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        if hard != resource.RLIM_INFINITY:
            value = hard if value == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _show(path: str, flags: int) -> None:
    """Show a file or folder of the host at the same place."""
    _make_parents(path)
    source = Path(HOST + path)
    if source.is_symlink():
        target = os.readlink(source)
        os.symlink(target, path)
        seen = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if os.path.lexists(HOST + seen) and not os.path.lexists(seen):
            _show(seen, flags)
        return
    if source.is_dir():
        os.mkdir(path, 0o755)
    else:
        Path(path).touch(0o644)
    kernel.bind(str(source), path, flags)


def _make_parents(path: str) -> None:
    for parent in reversed(Path(path).parents):
        if not os.path.lexists(parent):
            os.mkdir(parent, 0o755)
