"""How quick calls are taken to be: by the kernel's word, whatever else the machine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from sallyport.runtime.pace import Pace, Spent, Thread


class _Told:
    """A thread of which the kernel tells what a test says, in microseconds."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "schedstat"
        self._spent = [0, 0]
        self.spend(0, 0)
        self.thread = Thread(str(folder))

    def spend(self, ran: int, waited: int) -> None:
        self._spent[0] += ran * 1000
        self._spent[1] += waited * 1000
        self._file.write_text(f"{self._spent[0]} {self._spent[1]} 1\n")


@pytest.fixture
def worker(tmp_path: Path) -> _Told:
    return _Told(tmp_path / "worker")


@pytest.fixture
def platform(tmp_path: Path) -> _Told:
    return _Told(tmp_path / "platform")


def test_waiting_for_a_processor_makes_no_call_slow(worker: _Told, platform: _Told) -> None:
    """Seen to fail with what either waited left in."""
    pace = Pace(worker.thread, platform.thread)
    worker.spend(ran=100, waited=4_000)
    assert pace.of(4_100) == 100
    worker.spend(ran=100, waited=0)
    platform.spend(ran=0, waited=3_000)
    assert pace.of(3_100) == 100


def test_a_call_that_sleeps_is_slow(worker: _Told, platform: _Told) -> None:
    """Seen to fail with what the worker ran taken for all that its calls took."""
    pace = Pace(worker.thread, platform.thread)
    worker.spend(ran=100, waited=50)
    assert pace.of(5_000) == 4_950


def test_a_call_took_no_less_than_its_worker_ran(worker: _Told, platform: _Told) -> None:
    """Seen to fail with the platform's waiting taken off while the worker ran."""
    pace = Pace(worker.thread, platform.thread)
    worker.spend(ran=900, waited=0)
    platform.spend(ran=0, waited=900)
    assert pace.of(1_000) == 900


def test_what_the_platform_waited_before_a_call_was_sent_is_not_taken_off(
    worker: _Told, platform: _Told
) -> None:
    """Seen to fail with a `begin` that does nothing."""
    pace = Pace(worker.thread, platform.thread)
    platform.spend(ran=0, waited=60_000)
    pace.begin()
    worker.spend(ran=100, waited=0)
    assert pace.of(5_000) == 5_000


def test_where_the_kernel_tells_nothing_the_clock_counts(tmp_path: Path) -> None:
    missing = Thread(str(tmp_path / "none"))
    assert missing.since_last() == Spent(0, 0)
    assert Pace(missing, missing).of(700) == 700
