"""How many connections each of several processes has, in memory that all of them see.

Whoever is quickest to take connections would get all of a burst, and keep-alive connections stay
where they are. So one that has more than its share leaves the next to the others for a moment.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Final

_COUNT: Final = struct.Struct("=i")
_NONE: Final = -1
# How many more than the process with the fewest one may have before it leaves some to others.
SLACK: Final = 2


class Shares:
    """The counts of `processes` processes, in an open file; each writes its own alone."""

    def __init__(self, file: int, processes: int) -> None:
        self._processes = processes
        self._memory = mmap.mmap(file, processes * _COUNT.size)

    def put(self, index: int, connections: int) -> None:
        """Say how many connections a process has."""
        _COUNT.pack_into(self._memory, index * _COUNT.size, connections)

    def leave(self, index: int) -> None:
        """A process takes no more connections."""
        self.put(index, _NONE)

    def has_more_than_its_share(self, index: int) -> bool:
        """Whether another process that takes connections has a few less."""
        counts = [each for (each,) in _COUNT.iter_unpack(self._memory[:])]
        fewest = min((each for each in counts if each != _NONE), default=0)
        return bool(counts[index] > fewest + SLACK)


def make_shares(processes: int) -> tuple[int, Shares]:
    """An open file for so many processes, of which none takes connections yet."""
    file = os.memfd_create("sallyport-shares", os.MFD_CLOEXEC)
    os.ftruncate(file, processes * _COUNT.size)
    shares = Shares(file, processes)
    for index in range(processes):
        shares.leave(index)
    return file, shares
