"""The limit of a web trigger's URL, and the paths of web triggers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.gateway.webtrigger import PREFIX, WebTriggers, _segments, _split
from sallyport.vocab.clock import MINUTE, SECOND
from sallyport.vocab.errors import Reason, Refused

NOW = 100 * MINUTE


def limited(calls_per_minute: int) -> WebTriggers:
    nothing: Any = None
    return WebTriggers(
        nothing, nothing, nothing, nothing, nothing, calls_per_minute=calls_per_minute
    )


def test_each_url_has_its_own_calls_in_a_minute() -> None:
    door = limited(2)
    for _ in range(2):
        door._count("one", NOW)
    door._count("other", NOW)
    with pytest.raises(Refused) as refusal:
        door._count("one", NOW + 59 * SECOND)
    assert refusal.value.reason is Reason.RATE_LIMITED
    assert refusal.value.headers == {
        "Retry-After": "1",
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str((NOW + MINUTE) // SECOND),
    }
    door._count("one", NOW + MINUTE)


def test_old_minutes_are_forgotten_when_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sallyport.gateway.webtrigger.MOST_WINDOWS", 10)
    door = limited(1)
    for number in range(100):
        door._count(f"t{number}", NOW + number * MINUTE)
    assert len(door._windows) <= 10


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
