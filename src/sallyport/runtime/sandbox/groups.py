"""Control groups: what all processes of one worker may use together, where the host lets us say so.

Both versions of the kernel's interface. Where a controller is absent, or not ours to write, the
limits of each process and of the user namespace hold alone. This file imports the standard library
alone: the warden loads it by path.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from typing import Final

_MEGABYTE: Final = 1024 * 1024
# The interpreter, and the worker's files in its /tmp, on top of what the manifest grants.
_BASE_MEMORY: Final = 192 * _MEGABYTE
_PERIOD_US: Final = 100_000


class Groups:
    """A group for each worker, below `places`: folders of controllers, by controller."""

    def __init__(self, places: dict[str, Path]) -> None:
        self.places = places
        self._numbers = itertools.count(1)

    def make(self, memory_mb: int, processes: int) -> str:
        """A new group with these limits; its name. "" where the host has no groups for us."""
        if not self.places:
            return ""
        name = f"w{next(self._numbers)}"
        memory = str(memory_mb * _MEGABYTE + _BASE_MEMORY)
        for controller, place in self.places.items():
            folder = place / name
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            for file, value in {
                "memory": (
                    ("memory.limit_in_bytes", memory),
                    ("memory.memsw.limit_in_bytes", memory),
                ),
                "pids": (("pids.max", str(processes)),),
                "cpu": (
                    ("cpu.cfs_period_us", str(_PERIOD_US)),
                    ("cpu.cfs_quota_us", str(_PERIOD_US)),
                ),
                "unified": (
                    ("memory.max", memory),
                    ("memory.swap.max", "0"),
                    ("memory.oom.group", "1"),
                    ("pids.max", str(processes)),
                    ("cpu.max", f"{_PERIOD_US} {_PERIOD_US}"),
                ),
            }[controller]:
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    (folder / file).write_text(value)
        return name

    def join(self, name: str) -> None:
        """Move this process, which has one thread, into a group. Raises `OSError`."""
        if name:
            for controller, place in self.places.items():
                # Version 1 moves a thread that asks for itself without the lock that moving a
                # process waits for, some ten milliseconds for each controller.
                joined = "cgroup.procs" if controller == "unified" else "tasks"
                (place / name / joined).write_text("0")

    def remove(self, name: str) -> None:
        """Remove a group whose processes have ended."""
        if name:
            for place in self.places.values():
                with contextlib.suppress(OSError):
                    (place / name).rmdir()


def find_groups(root: str, name: str) -> Groups:
    """The groups that this process may make, below a group `name` of its own.

    `root` is where the host's tree is seen, such as `/host`.
    """
    base = Path(f"{root}/sys/fs/cgroup")
    unified = base / "cgroup.controllers"
    if unified.exists():
        return Groups(_unified(base, name))
    places = {}
    for controller in ("memory", "pids", "cpu"):
        place = base / controller / name
        with contextlib.suppress(OSError):
            place.mkdir(exist_ok=True)
            if os.access(place / "cgroup.procs", os.W_OK):
                places[controller] = place
    return Groups(places)


def end_stale_groups(root: str, prefix: str) -> None:
    """Remove the groups of platforms that were killed: `<prefix><pid>-...` of no living process."""
    base = Path(f"{root}/sys/fs/cgroup")
    for place in (base, *(base / each for each in ("memory", "pids", "cpu"))):
        for group in place.glob(f"{prefix}*-*"):
            owner = group.name.removeprefix(prefix).partition("-")[0]
            if owner.isdigit() and not Path(f"{root}/proc/{owner}").exists():
                end_groups(root, group.name)


def end_groups(root: str, name: str) -> None:
    """Remove what a warden left behind. Processes in it have ended."""
    base = Path(f"{root}/sys/fs/cgroup")
    for place in (base / name, *(base / each / name for each in ("memory", "pids", "cpu"))):
        with contextlib.suppress(OSError):
            for group in place.iterdir():
                if group.is_dir():
                    group.rmdir()
            place.rmdir()


def _unified(base: Path, name: str) -> dict[str, Path]:
    place = base / name
    with contextlib.suppress(OSError):
        place.mkdir(exist_ok=True)
        (place / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        if os.access(place / "cgroup.procs", os.W_OK):
            return {"unified": place}
    with contextlib.suppress(OSError):
        place.rmdir()
    return {}
