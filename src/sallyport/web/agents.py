"""A browser in plain words, by what it says of itself: a hint for people, proof of nothing."""

from __future__ import annotations

# The first that is in the text: most browsers also name those that they descend from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 1024


def in_plain_words(user_agent: str | None) -> str:
    """`Firefox on Linux`. Only words from here are ever in it, so it is safe to keep and show."""
    text = (user_agent or "")[:_LONGEST]
    browser = next((name for mark, name in _BROWSERS if mark in text), "Another browser")
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    return f"{browser} on {system}" if system else browser
