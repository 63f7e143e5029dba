"""Text on its way to the terminal, and times on their way to the platform."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.cli.since import since
from sallyport.cli.terminal import json_text, plain

NOW = 1_795_000_000_000


@given(st.text())
def test_plain_text_holds_nothing_that_acts(text: str) -> None:
    shown = plain(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not any(unicodedata.bidirectional(c) in _OVERRIDES for c in shown)


_OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_text_says_the_same_and_acts_on_nothing(value: object) -> None:
    shown = json_text(value)
    assert json.loads(shown) == value
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cs") for c in shown)


@pytest.mark.parametrize("text", ["Grüße", "日本語", "👩‍🚀", "naïve", "क्षि"])
def test_people_can_write_their_languages(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5m", "2026-11-18T11:01:40.000Z"),
        ("10h", "2026-11-18T01:06:40.000Z"),
        ("2d", "2026-11-16T11:06:40.000Z"),
        ("2026-11-01", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T12:30:00", "2026-11-01T12:30:00.000Z"),
        ("2026-11-01T12:30:00+02:00", "2026-11-01T10:30:00.000Z"),
        ("2026-11-01T12:30:00.250Z", "2026-11-01T12:30:00.250Z"),
        ("999999d", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_since(text: str, expected: str) -> None:
    assert since(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5x", "-5m", "٥m", "yesterday", "2026-13-01", "5m "]
)
def test_since_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        since(text, NOW)
