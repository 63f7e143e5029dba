"""Waiting: how long a process could have run and had no processor, as the kernel counts it."""

from __future__ import annotations

import os


class Waiting:
    """Of the first thread of a process, which is where calls run. Zero where nothing is told."""

    def __init__(self, pid: int) -> None:
        self._waited = 0
        try:
            self._file = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1
        self.since_last_us()

    def since_last_us(self) -> int:
        """Microseconds since this was asked last."""
        if self._file < 0:
            return 0
        try:
            _, waited, _ = os.pread(self._file, 100, 0).split()
        except (OSError, ValueError):
            return 0
        before, self._waited = self._waited, int(waited)
        return (self._waited - before) // 1000

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
