"""Buckets of several processes: each may let a little too much through, and that is owed.

Planted bug that these tests were seen to fail on: forgetting what is owed beyond a full bucket.
"""

from __future__ import annotations

from sallyport.vocab.buckets import Quota
from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.shared_buckets import SharedBuckets

QUOTA = Quota("few", 30)
KEY = ("few", "site")
NOW = 1_000 * MINUTE


def spend(buckets: SharedBuckets, now: int, quota: Quota = QUOTA) -> int:
    """How many calls are let through at this moment."""
    let_in = 0
    while not buckets.charge([(KEY, quota)], now).wait:
        let_in += 1
    return let_in


def exchange(*processes: SharedBuckets) -> None:
    told = [(each, each.taken()) for each in processes]
    for teller, taken in told:
        for each in processes:
            if each is not teller:
                for part in taken:
                    each.add(part)


def test_what_one_took_counts_in_the_other() -> None:
    one, other = SharedBuckets(), SharedBuckets()
    for _ in range(20):
        one.charge([(KEY, QUOTA)], NOW)
    exchange(one, other)
    assert spend(other, NOW) == 10
    exchange(one, other)
    assert (spend(one, NOW), one.taken(), other.taken()) == (0, [], [])


def test_what_both_let_through_at_once_is_owed() -> None:
    one, other = SharedBuckets(), SharedBuckets()
    assert spend(one, NOW) + spend(other, NOW) == 60
    exchange(one, other)
    # Twice the quota went through, so nothing does for a minute, and then one every two seconds.
    for after in (1 * SECOND, 30 * SECOND, MINUTE):
        assert (spend(one, NOW + after), spend(other, NOW + after)) == (0, 0)
    assert spend(one, NOW + MINUTE + 2 * SECOND) == 1
    exchange(one, other)
    assert spend(other, NOW + MINUTE + 2 * SECOND) == 0


def test_over_time_a_quota_is_what_it_says() -> None:
    one, other = SharedBuckets(), SharedBuckets()
    let_in = 0
    for step in range(20 * 60):
        let_in += spend(one, NOW + step * SECOND // 2) + spend(other, NOW + step * SECOND // 2)
        exchange(one, other)
    assert let_in <= 30 + 30 * 10 + 30


def test_what_was_given_back_counts_in_neither() -> None:
    one, other = SharedBuckets(), SharedBuckets()
    for _ in range(30):
        one.charge([(KEY, QUOTA)], NOW)
    for _ in range(30):
        one.give_back([(KEY, QUOTA)], NOW)
    exchange(one, other)
    assert spend(other, NOW) == 30


def test_a_process_that_begins_takes_the_buckets_as_they_are() -> None:
    one, other = SharedBuckets(), SharedBuckets()
    spend(one, NOW)
    other.take_levels(one.levels())
    assert spend(other, NOW) == 0
