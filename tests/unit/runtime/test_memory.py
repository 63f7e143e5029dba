"""Memory that forks share is one worker's once, not once for each fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sallyport.runtime.memory import BASE_MB, MEGABYTE, held_by, is_over

FORKS = 8
SHARED_MB = 64
SCRIPT = f"""
import os, time
held = bytearray(os.urandom(1)) * ({SHARED_MB} << 20)
for _ in range({FORKS}):
    if os.fork() == 0:
        if {{own}}:
            for at in range(0, len(held), 4096):
                held[at] ^= 1
        os.write(1, b".")
        time.sleep(60)
time.sleep(60)
"""


@contextmanager
def family(*, own: bool) -> Iterator[int]:
    """A process and its forks; with `own` each has written to what they shared."""
    made = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(own=own)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert made.stdout is not None
    try:
        assert len(made.stdout.read(FORKS)) == FORKS
        yield made.pid
    finally:
        os.killpg(made.pid, signal.SIGKILL)
        made.wait()
        made.stdout.close()


@pytest.mark.parametrize("own", [False, True])
def test_shared_pages_count_once(own: bool) -> None:
    with family(own=own) as pid:
        assert held_by(pid) > FORKS * SHARED_MB * MEGABYTE
        assert is_over(pid, 3 * SHARED_MB) is own
        assert BASE_MB + 3 * SHARED_MB < FORKS * SHARED_MB
