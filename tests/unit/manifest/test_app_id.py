"""An app id goes into a manifest and nothing else of it changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sallyport.manifest.document import compose, to_data
from sallyport.manifest.write import with_app_id
from sallyport.vocab.errors import Reason, Refused

ARI = "ari:cloud:ecosystem::app/11111111-2222-4333-8444-555555555555"

COMMENTED = """\
# the top
app:   # the app
    runtime: {name: python3}   # where

    id:   "ari:cloud:ecosystem::app/old"   # who
modules:
  # nothing yet
  apiRoute: []
"""


def test_only_the_id_is_replaced() -> None:
    assert with_app_id(COMMENTED.encode(), ARI).decode() == COMMENTED.replace(
        "ari:cloud:ecosystem::app/old", ARI
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("app:\n  id: old # c\n", f"app:\n  id: {ARI} # c\n"),
        ("app:\n  id: 'old'\n", f"app:\n  id: '{ARI}'\n"),
        ("app:\n  id:\n  x: 1\n", f"app:\n  id: {ARI}\n  x: 1\n"),
        ("app:\n  id: # later\n", f"app:\n  id: {ARI} # later\n"),
        ("app:\n  id: ~\n", f"app:\n  id: {ARI}\n"),
        ("app:\n  id: >-\n    old\n  x: 1\n", f"app:\n  id: {ARI}\n  x: 1\n"),
        ("app:\n  # c\n    x: 1\n", f"app:\n  # c\n    id: {ARI}\n    x: 1\n"),
        ("app:\r\n  x: 1\r\n", f"app:\r\n  id: {ARI}\r\n  x: 1\r\n"),
        ("app:\nx: 1\n", f"app:\n  id: {ARI}\nx: 1\n"),
        ("app: # c\nx: 1", f"app:\n  id: {ARI} # c\nx: 1"),
        ("app: {}\n", f'app: {{id: "{ARI}"}}\n'),
        ("app: {x: 1}\n", f'app: {{id: "{ARI}", x: 1}}\n'),
        ("app: {id: old, x: 1}\n", f'app: {{id: "{ARI}", x: 1}}\n'),
        ('{"app":{"id":"old"}}', f'{{"app":{{"id":"{ARI}"}}}}'),
        ('{"x":1}', f'{{app: {{id: "{ARI}"}}, "x":1}}'),
        ("# c\n\nx: 1\n", f"# c\n\napp:\n  id: {ARI}\nx: 1\n"),
        ("---\n  x: 1\n...\n", f"---\n  app:\n    id: {ARI}\n  x: 1\n...\n"),
        ("\ufeffapp:\n  id: old", f"\ufeffapp:\n  id: {ARI}"),
    ],
)
def test_layouts(before: str, after: str) -> None:
    assert with_app_id(before.encode(), ARI).decode() == after


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"- a\n",
        b"app: [x]\n",
        b"app: x\n",
        b"app: {id: [x]}\n",
        b"a: &b c\n",
        b"\xff",
        b"app: {}\napp: {}\n",
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        with_app_id(data, ARI)
    assert refusal.value.reason is Reason.MANIFEST_INVALID
    assert refusal.value.fix is not None


@pytest.mark.parametrize("ari", ["", "x", ARI + "\nx: 1", ARI.upper(), ARI[:-1], ARI + "0"])
def test_only_an_app_id_is_written(ari: str) -> None:
    with pytest.raises(ValueError, match="not an app ARI"):
        with_app_id(b"app: {}", ari)


LINES = st.sampled_from(
    [
        "app:",
        "  id: x",
        "  id:",
        "  # c",
        "  b: [1, {c: d}]",
        "e: f",
        "",
        "  g: |",
        "    h",
        "---",
        "app: {}",
        "app: {id: x}",
        "  'id': y",
        "{app: {i: 1}}",
        "  ? id",
        "  : z",
        "app: ~",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_it_changes_the_id_or_refuses(lines: list[str], newline: str) -> None:
    data = newline.join(lines).encode()
    try:
        written = with_app_id(data, ARI)
    except Refused:
        return
    before, after = to_data(compose(data).root), to_data(compose(written).root)
    assert after["app"]["id"] == ARI
    assert {**(before.get("app") or {}), "id": ARI} == after["app"]
    assert {**before, "app": 0} == {**after, "app": 0}
    assert with_app_id(written, ARI) == written
    assert written.count(b"#") == data.count(b"#")
