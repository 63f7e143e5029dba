"""Processes: who descends from whom, and how one is killed with everything that it started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

_PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The living children of all threads of a process; empty if it is gone."""
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found.extend(int(child) for child in (task / "children").read_text().split())
    except FileNotFoundError:
        if (_PROC / str(pid)).exists() and not _kernel_lists_children():
            return [child for child, parent in _parents() if parent == pid]
    except ProcessLookupError:
        pass
    return [child for child in found if not _is_dead(child)]


def descendants(pid: int) -> list[int]:
    """Everything that a process started and that still runs, nearest first."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        born = children(waiting.pop())
        found.extend(born)
        waiting.extend(born)
    return found


def kill_all(pids: list[int]) -> None:
    """SIGKILL each; one that is gone already is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def has_ended(pidfd: int, within_ms: int = 0) -> bool:
    """Whether the process behind `pidfd` has ended, or does so in this time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within_ms))


def kill_group(pidfd: int, pid: int) -> None:
    """SIGKILL the process group that `pid` leads, if the process behind `pidfd` still is `pid`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(pidfd, 0)
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _is_dead(pid: int) -> bool:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in ("Z", "X")


def _kernel_lists_children() -> bool:
    return (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def _parents() -> list[tuple[int, int]]:
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
                found.append((int(entry.name), int(rest[1])))
    return found
