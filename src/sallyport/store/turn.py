"""Turn: which of the processes that share an SQLite database writes next.

SQLite lets one write at a time; whoever else wants to looks again after a sleep, which a process
that writes without pause can make last very long. Waiting for a lock on a file has no sleep: who
waits is woken when the lock is free. docs/decisions/0014-several-gateways.md has the figures.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Turn:
    """A `with` block in which no other process has its turn. One thread at a time enters it.

    The lock is the kernel's, so it ends with the process that has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_error: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
