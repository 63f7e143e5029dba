"""Quotas: never more than a quota and what came back since, whatever the history; bounded memory.

Planted bugs that these tests were seen to fail on: taking from the first bucket although the second
is spent; refilling a bucket for a clock that was set back; forgetting a bucket that is not empty
while there is room; rounding the wait down; a key
without the site.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.limits import CallLimits, limit_headers, too_many
from sallyport.model.manifest import Route, RouteLimit
from sallyport.vocab.buckets import Buckets, Quota, Standing, seconds_in_words
from sallyport.vocab.clock import MINUTE

NOW = 1_800_000_000_000
PER_ACCOUNT, PER_APP = Quota("account", 3), Quota("app", 5)

gaps = st.lists(st.integers(0, 40_000) | st.integers(0, 50), min_size=1, max_size=60)


@given(gaps, st.integers(1, 9), st.integers(1, 90_000))
def test_a_bucket_agrees_with_exact_arithmetic(steps: list[int], calls: int, window: int) -> None:
    buckets, quota = Buckets(), Quota("q", calls, window)
    now, held = NOW, Fraction(0)
    for step in steps:
        now += step
        held = max(Fraction(0), held - Fraction(step * calls, window))
        fits = held + 1 <= calls
        standing = buckets.charge([("k", quota)], now)
        assert (standing.wait == 0) == fits
        held += fits
        if fits:
            assert standing.remaining == (calls - held).__floor__()
        else:
            # The wait is the first whole millisecond at which one more fits.
            needed = (held + 1 - calls) * Fraction(window, calls)
            assert standing.wait == needed.__ceil__()
            assert standing.remaining == 0
        assert standing.reset == (held * Fraction(window, calls)).__ceil__()


@given(gaps)
def test_no_window_ever_sees_more_than_two_quotas(steps: list[int]) -> None:
    buckets, passed, now = Buckets(), [], NOW
    for step in steps:
        now += step % 3_000
        if buckets.charge([("k", PER_APP)], now).wait == 0:
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + MINUTE for at in passed) < 2 * PER_APP.calls


@given(gaps, st.integers(-10_000_000, 10_000_000))
def test_a_clock_that_jumps_makes_nobody_wait_longer_than_a_window(
    steps: list[int], jump: int
) -> None:
    buckets, now = Buckets(), NOW
    for step in steps:
        now += step % 1_000
        buckets.charge([("k", PER_APP)], now)
    assert buckets.charge([("k", PER_APP)], now + jump).wait <= MINUTE


def test_a_clock_that_is_set_back_gives_no_calls_away() -> None:
    buckets = Buckets()
    for _ in range(PER_APP.calls):
        assert buckets.charge([("k", PER_APP)], NOW).wait == 0
    assert buckets.charge([("k", PER_APP)], NOW - 3_600_000).wait > 0


def test_all_buckets_are_charged_or_none() -> None:
    buckets = Buckets()
    both = [("account", PER_ACCOUNT), ("app", PER_APP)]
    for _ in range(3):
        assert buckets.charge(both, NOW).wait == 0
    refused = buckets.charge(both, NOW)
    assert (refused.tightest, refused.wait) == (PER_ACCOUNT, MINUTE // 3)
    # Refused calls took nothing from the other bucket.
    other = [("other account", PER_ACCOUNT), ("app", PER_APP)]
    assert [buckets.charge(other, NOW).wait == 0 for _ in range(3)] == [True, True, False]


def test_waiting_as_told_is_enough_and_less_is_not() -> None:
    buckets, asked = Buckets(), [("k", Quota("q", 7))]
    while (standing := buckets.charge(asked, NOW)).wait == 0:
        pass
    assert buckets.charge(asked, NOW + standing.wait - 1).wait == 1
    assert buckets.charge(asked, NOW + standing.wait).wait == 0


def test_a_changed_quota_counts_at_once() -> None:
    buckets = Buckets()
    for _ in range(50):
        buckets.charge([("k", Quota("q", 100))], NOW)
    assert buckets.charge([("k", Quota("q", 60))], NOW).remaining == 9
    assert buckets.charge([("k", Quota("q", 10))], NOW).wait > 0
    assert buckets.charge([("k", Quota("q", 10))], NOW + MINUTE).wait == 0


def test_memory_is_bounded_and_empty_buckets_go() -> None:
    buckets = Buckets(bound=100)
    for key in range(10_000):
        buckets.charge([(key, PER_APP)], NOW)
        assert len(buckets) <= 100
    # What is left are those that were charged last, and they still count.
    spent = [buckets.charge([(9_999, PER_APP)], NOW).wait > 0 for _ in range(5)]
    assert spent == [False] * 4 + [True]
    for key in range(100):
        buckets.charge([(f"later {key}", PER_APP)], NOW + 2 * MINUTE)
    assert len(buckets) <= 100
    for _ in range(100):
        buckets.charge([("one", Quota("q", 1000))], NOW + 4 * MINUTE)
    assert len(buckets) == 1


def test_buckets_with_calls_in_them_stay_while_there_is_room() -> None:
    buckets = Buckets(bound=1_000)
    for _ in range(PER_APP.calls):
        buckets.charge([("spent", PER_APP)], NOW)
    for key in range(500):
        buckets.charge([(key, PER_APP)], NOW + 1)
    assert buckets.charge([("spent", PER_APP)], NOW + 2).wait > 0


ROUTE = Route("r", "GET", "/r", "f", (), ())


def caller(limits: CallLimits, route: Route = ROUTE, **which: str) -> Standing:
    names = {"site_id": "s", "environment_id": "e", "client_id": "c", "account_id": "a", **which}
    standing = limits.charge_call(route, **names, now=NOW)
    assert standing is not None
    return standing


def test_tenants_callers_and_apps_share_no_bucket() -> None:
    limits = CallLimits(Quota("integration", 4), PER_ACCOUNT, PER_APP)
    for _ in range(3):
        assert caller(limits).wait == 0
    assert caller(limits).tightest.name == "account"
    # The same account and integration on another site, and others on this one, go on.
    for _ in range(3):
        assert caller(limits, site_id="other").wait == 0
    assert caller(limits, account_id="b").wait == 0
    assert caller(limits, account_id="d").tightest.name == "integration"
    assert caller(limits, account_id="d", client_id="d").wait == 0
    assert caller(limits, account_id="f", client_id="f").tightest.name == "app"
    assert caller(limits, account_id="f", client_id="f", environment_id="other").wait == 0


def test_no_limit_counts_nothing() -> None:
    limits = CallLimits()
    names = {"site_id": "s", "environment_id": "e", "client_id": "c", "account_id": "a"}
    assert limits.charge_call(ROUTE, **names, now=NOW) is None
    assert limits.charge_refusal("192.0.2.1", None, NOW) is None
    assert len(limits.accepted_buckets) == len(limits.refused_buckets) == 0


def test_what_answers_say() -> None:
    limits = CallLimits(account=PER_ACCOUNT, app=PER_APP)
    assert limit_headers(caller(limits)) == (
        ("ratelimit-policy", '"account";q=3;w=60, "app";q=5;w=60'),
        ("ratelimit", '"account";r=2;t=20'),
    )
    caller(limits)
    caller(limits)
    refused = too_many(caller(limits))
    assert refused.reason.status == 429
    assert refused.headers == {"Retry-After": "20"}
    assert refused.members == {"limit": "account"}


def test_a_routes_own_limit_tightens_and_never_loosens() -> None:
    wide = replace(ROUTE, rate_limit=RouteLimit(1_000_000))
    limits = CallLimits(account=PER_ACCOUNT)
    assert [caller(limits, wide).wait == 0 for _ in range(4)] == [True, True, True, False]

    def fits(limits: CallLimits, per: Any, key: str = "r", **which: str) -> bool:
        tight = replace(ROUTE, key=key, rate_limit=RouteLimit(1, per))
        standing = caller(limits, tight, **which)
        assert standing.wait == 0 or standing.tightest.name == "route"
        return standing.wait == 0

    for per, whose in (("account", "account_id"), ("integration", "client_id"), ("site", "")):
        limits = CallLimits()
        assert fits(limits, per)
        assert not fits(limits, per)
        assert fits(limits, per, key="another route")
        for name in ("account_id", "client_id"):
            assert fits(limits, per, **{name: "other"}) == (name == whose)
        assert fits(limits, per, site_id="other")
        assert fits(limits, per, environment_id="other")


def test_one_second_is_one_second() -> None:
    assert [seconds_in_words(count) for count in (1, 2, 60)] == [
        "1 second",
        "2 seconds",
        "60 seconds",
    ]
