"""The seam between the runtime and the operating system: a `Driver` starts processes of app code.

A driver says which guarantees it gives, and nothing else may be believed of it. The plain driver
confines as far as an ordinary process can; it does not make untrusted code safe to run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Guarantee(StrEnum):
    """What the operating system holds app code to."""

    OWN_PROCESS = "no two installations share a process"
    EMPTY_ENVIRONMENT = "the platform's environment and open files are not inherited"
    DIES_WITH_PLATFORM = "workers end when the platform ends"
    NO_NEW_PRIVILEGES = "set-user-id programs give no privileges"
    NO_CAPABILITIES = "processes hold no capabilities, also where they run as root"
    MEMORY_LIMIT = "memory is limited for each process"
    FILE_LIMITS = "open files and file sizes are limited"
    OWN_USER = "app code runs as a user of its own"
    OWN_FILESYSTEM = "only the app's bundle and a private folder can be seen"
    OWN_PROCESS_TREE = "other processes can neither be seen nor signalled"
    NO_NETWORK = "there is no network but the capability socket"
    SYSTEM_CALL_FILTER = "system calls are filtered"
    PROCESS_LIMIT = "the number of processes and threads is limited"
    GROUP_LIMITS = "memory, processes and processor time of all of a worker are limited together"


UNTRUSTED_CODE_NEEDS = frozenset(Guarantee) - {Guarantee.GROUP_LIMITS}


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to be started: a script of ours, its open files, its folder, its output.

    `descriptors` are inherited under the same numbers, `output` becomes standard output and error.
    Where the script only prepares its process and then becomes another program, `program` is that
    program with its arguments, and `memory_mb` what it may use: a driver that prepares processes
    by itself starts it without the script.
    """

    script: Path
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...]
    output: int
    directory: Path
    program: tuple[str, ...] = ()
    memory_mb: int = 0


class Process(Protocol):
    """A process that was started: what the runtime uses of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...


class Driver(Protocol):
    """Starts processes of app code in a session of their own. `name` is shown to operators."""

    @property
    def name(self) -> str: ...

    @property
    def guarantees(self) -> frozenset[Guarantee]: ...

    @property
    def confinement(self) -> Mapping[str, bool]:
        """What the started script must still do to itself; see `python/confine.py`."""
        ...

    def start(self, launch: Launch) -> Process: ...

    def close(self) -> None:
        """End what the driver itself keeps running."""
        ...


def fit_for_untrusted_code(driver: Driver) -> bool:
    """Whether code of people whom the operator does not trust may be run with this driver."""
    return driver.guarantees >= UNTRUSTED_CODE_NEEDS


def missing_guarantees(driver: Driver) -> tuple[str, ...]:
    """What untrusted code would need and this driver does not give, as sentences for operators."""
    return tuple(
        each.value
        for each in Guarantee
        if each in UNTRUSTED_CODE_NEEDS and each not in driver.guarantees
    )


class PlainDriver:
    """Ordinary processes of the platform's own user, for the developer's own code."""

    name = "plain process"
    guarantees = frozenset(
        {
            Guarantee.OWN_PROCESS,
            Guarantee.EMPTY_ENVIRONMENT,
            Guarantee.DIES_WITH_PLATFORM,
            Guarantee.NO_NEW_PRIVILEGES,
            Guarantee.NO_CAPABILITIES,
            Guarantee.MEMORY_LIMIT,
            Guarantee.FILE_LIMITS,
        }
    )
    confinement: Mapping[str, bool] = {"drop_capabilities": True}

    def start(self, launch: Launch) -> subprocess.Popen[bytes]:
        """Raises `OSError` when the process cannot be started."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", str(launch.script), *launch.arguments],
            env={},
            cwd=launch.directory,
            stdin=subprocess.DEVNULL,
            stdout=launch.output,
            stderr=launch.output,
            pass_fds=launch.descriptors,
            start_new_session=True,
        )

    def close(self) -> None:
        """There is nothing."""
