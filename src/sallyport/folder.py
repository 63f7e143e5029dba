"""The data folder: one process holds it at a time, and it has a name of its own."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from sallyport.vocab.ids import new_id


class AlreadyRunning(Exception):
    """Another platform uses the data folder."""


class FolderLock:
    """Holds the data folder for one process, for as long as a `with` block.

    Raises `AlreadyRunning` where another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        self._file = self._path.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise AlreadyRunning(
                f"Another Sallyport runs on {self._path.parent}. Stop it, or choose another folder."
            ) from None

    def __exit__(self, *_error: object) -> None:
        assert self._file is not None
        self._file.close()


def instance_of(folder: Path) -> str:
    """What the platform calls itself, for as long as it has this data folder."""
    path = folder / "instance"
    if not path.exists():
        path.write_text(new_id())
    return path.read_text().strip()
