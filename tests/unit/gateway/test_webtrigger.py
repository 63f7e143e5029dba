"""The limit of a web trigger's URL, and the paths of web triggers."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.webtrigger import PREFIX, _segments, _split
from sallyport.gateway.windows import Windows
from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.errors import Reason, Refused

NOW = 100 * MINUTE


def count(windows: Windows, trigger_id: str, now: int) -> None:
    asyncio.run(windows.count(trigger_id, now))


def test_each_url_has_its_own_calls_in_a_minute() -> None:
    windows = Windows(2)
    for _ in range(2):
        count(windows, "one", NOW)
    count(windows, "other", NOW)
    with pytest.raises(Refused) as refusal:
        count(windows, "one", NOW + 59 * SECOND)
    assert refusal.value.reason is Reason.RATE_LIMITED
    assert refusal.value.headers == {
        "Retry-After": "1",
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str((NOW + MINUTE) // SECOND),
    }
    count(windows, "one", NOW + MINUTE)


def test_old_minutes_are_forgotten_when_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sallyport.gateway.windows.MOST_WINDOWS", 10)
    windows = Windows(1)
    for number in range(100):
        count(windows, f"t{number}", NOW + number * MINUTE)
    assert len(windows._windows) <= 10


@given(st.text(max_size=200))
def test_any_path_is_split_or_refused(rest: str) -> None:
    secret, path = _split(PREFIX + "spwt_secret/" + rest)
    assert secret == "spwt_secret"
    assert "spwt_secret" not in path or "spwt_secret" in rest
    try:
        segments = _segments(path)
    except Refused:
        return
    assert not {"", ".", ".."} & set(segments)
