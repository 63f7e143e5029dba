"""The limits on sign-in: tight for guesses, kind to those who mistype, bounded."""

from __future__ import annotations

import pytest

from sallyport.control import attempts
from sallyport.control.attempts import PER_PERSON, WINDOW, Attempts
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused


class Watch:
    """A clock for durations that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def gets_through(limits: Attempts, email: str, address: str | None) -> bool:
    try:
        limits.spend(email, address)
    except Refused:
        return False
    return True


def spent(limits: Attempts, tries: list[tuple[str, str | None]]) -> int:
    """How many of these attempts get through before the first that does not."""
    for n, (email, address) in enumerate(tries):
        if not gets_through(limits, email, address):
            return n
    return len(tries)


def test_one_email_from_one_address() -> None:
    limits = Attempts(clock=Watch())
    assert spent(limits, [("ada@a.test", "192.0.2.1")] * 100) == PER_PERSON
    assert spent(limits, [("ada@a.test", "192.0.2.2")]) == 1, "the person elsewhere still gets in"


def test_one_email_from_everywhere() -> None:
    limits = Attempts(clock=Watch())
    tries: list[tuple[str, str | None]] = [("ada@a.test", f"10.0.{n}.1") for n in range(200)]
    assert spent(limits, tries) == 5 * PER_PERSON


def test_one_address_with_many_emails() -> None:
    limits = Attempts(clock=Watch())
    tries: list[tuple[str, str | None]] = [(f"{n}@a.test", "192.0.2.1") for n in range(200)]
    assert spent(limits, tries) == 6 * PER_PERSON


@pytest.mark.parametrize("other", ["2001:db8:1:2::2", "2001:db8:1:2:ffff::"])
def test_addresses_of_one_ipv6_network_count_as_one(other: str) -> None:
    limits = Attempts(clock=Watch())
    assert spent(limits, [("a@a.test", "2001:db8:1:2::1")] * 20) == PER_PERSON
    assert spent(limits, [("a@a.test", other)]) == 0
    assert spent(limits, [("a@a.test", "2001:db8:1:3::1")]) == 1


def test_an_ipv4_address_is_the_same_in_ipv6_dress() -> None:
    limits = Attempts(clock=Watch())
    assert spent(limits, [("a@a.test", "192.0.2.1")] * 20) == PER_PERSON
    assert spent(limits, [("a@a.test", "::ffff:192.0.2.1")]) == 0


def test_waiting_as_long_as_told_lets_one_more_through() -> None:
    watch = Watch()
    limits = Attempts(clock=watch)
    spent(limits, [("a@a.test", None)] * 20)
    with pytest.raises(Refused) as caught:
        limits.spend("a@a.test", None)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert 1 <= int(caught.value.headers["Retry-After"]) <= WINDOW // SECOND
    watch.now += int(caught.value.headers["Retry-After"])
    assert spent(limits, [("a@a.test", None)] * 5) == 1


def test_a_success_costs_nothing() -> None:
    limits = Attempts(clock=Watch())
    for _ in range(500):
        limits.spend("ada@a.test", "192.0.2.1")
        limits.give_back("ada@a.test", "192.0.2.1")
    assert spent(limits, [("ada@a.test", "192.0.2.1")] * 100) == PER_PERSON


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "REMEMBERED", 50)
    limits = Attempts(clock=Watch())
    for n in range(1_000):
        limits.spend(f"{n}@a.test", f"10.{n // 250}.{n % 250}.1")
    assert len(limits._buckets) <= 50
