"""Attack T-PATH: a request path in any other than its one canonical form is refused."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sallyport.manifest.canonical import LONGEST_REQUEST_PATH, canonical_segments

PCHAR = "!$&'()*+,=:@-._~"


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", ()),
        ("/a", ("a",)),
        ("/a/B/1-2_3.4~5", ("a", "B", "1-2_3.4~5")),
        ("/a/x@y:z,!$&'()*+=", ("a", "x@y:z,!$&'()*+=")),
        ("/a/x%20y", ("a", "x y")),
        ("/a/%C3%A9", ("a", "é")),
        ("/a/%F0%9F%98%80", ("a", "😀")),
        ("/a/x%40y", ("a", "x@y")),
        ("/a/100%25", ("a", "100%")),
        ("/a/%25zz", ("a", "%zz")),
        ("/a/...", ("a", "...")),
        ("/a/.b", ("a", ".b")),
        ("/a/b.", ("a", "b.")),
        ("/a/%7Bid%7D", ("a", "{id}")),
    ],
)
def test_canonical_paths_are_decoded_once(raw: str, segments: tuple[str, ...]) -> None:
    assert canonical_segments(raw) == segments


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "//",
        "//a",
        "/a//b",
        "/a/",
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/..",
        "/%2e%2e/b",
        "/%2E%2E/b",
        "/a/.%2e/b",
        "/a/%2e",
        "/a/..%2Fb",
        "/a%2Fb",
        "/a%2fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/a;x=1",
        "/a%3Bx",
        "/a%3bx",
        "/;",
        "/a%00",
        "/a\x00",
        "/a%0A",
        "/a%0D%0Ax",
        "/a\n",
        "/a\tb",
        "/a%7F",
        "/a%C2%85",
        "/a b",
        "/%61",
        "/a%2D",
        "/a%7E",
        "/a%c3%a9",
        "/a%C3%a9",
        "/é",
        "/a%252e",
        "/a%252F",
        "/a%25%32%65",
        "/a%C0%AF",
        "/a%C0%AE",
        "/a%E0%80%AF",
        "/a%F8%80%80%80%AF",
        "/a%FF",
        "/a%C3",
        "/a%ED%A0%80",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%u002e",
        "/a{id}",
        '/a"b',
        "/a<b",
        "/a|b",
        "/a^b",
        "/a`b",
        "/a[b]",
        "/a?b",
        "/a#b",
        "*",
        "http://host/a",
        "/" + "a" * LONGEST_REQUEST_PATH,
    ],
)
def test_other_forms_are_refused_with_a_reason(raw: str) -> None:
    with pytest.raises(ValueError) as refusal:
        canonical_segments(raw)
    assert str(refusal.value).startswith("the path ") or "UTF-8" in str(refusal.value)
    assert str(refusal.value).isprintable()


SEGMENT = st.text(min_size=1, max_size=8).filter(
    lambda text: (
        text not in {".", ".."}
        and not any(c in "/\\;%" or ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text)
        and not any(0xD800 <= ord(c) <= 0xDFFF for c in text)
    )
)


@settings(deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=5))
def test_every_text_has_a_canonical_path(segments: list[str]) -> None:
    raw = "/" + "/".join(quote(segment, safe=PCHAR) for segment in segments)
    assert canonical_segments(raw) == tuple(segments)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*"/.%;\\aZ2eEfF5cC0é \n\x00@", "%2e", "%2F", "%C3%A9", "..", "%25"]),
        max_size=12,
    ).map("".join)
)
@example("/a/%25%2e")
def test_what_is_taken_means_the_same_to_every_reader(raw: str) -> None:
    """However often it is decoded or split, an accepted path has the same segments."""
    try:
        segments = canonical_segments(raw)
    except ValueError:
        return
    assert len(segments) == raw.count("/") - (raw == "/")
    for segment, part in zip(segments, raw[1:].split("/"), strict=False):
        assert segment not in {"", ".", ".."}
        assert not set(segment) & set("/\\;\x00\n")
        assert unquote(part) == segment
        assert unquote(segment) == segment
        assert canonical_segments("/" + quote(segment, safe=PCHAR)) == (segment,)
