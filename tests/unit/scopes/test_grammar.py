from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sallyport.scopes.grammar import (
    CUSTOM_SCOPE_PATTERN,
    is_custom,
    namespaced,
    split_namespaced,
    verb_noun,
)

NAMESPACE = "11111111-2222-4333-8444-555555555555.66666666-7777-4888-9999-000000000000"


@pytest.mark.parametrize(
    "name", ["read:employee:custom", "a:custom", "-.:_Z9:custom", "x" * 93 + ":custom"]
)
def test_custom_scopes(name: str) -> None:
    assert is_custom(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":custom",
        "read:employee",
        "read:employee:custom\n",
        "read employee:custom",
        "réad:employee:custom",
        "read:employee:Custom",
        "read:employee:custom:x",
        "read/employee:custom",
        "x" * 94 + ":custom",
        "read:forge-app:jira",
    ],
)
def test_other_scopes(name: str) -> None:
    assert not is_custom(name)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab-.:_9 \né"), max_size=12), st.booleans())
def test_the_check_is_the_published_pattern(stem: str, suffixed: bool) -> None:
    name = stem + (":custom" if suffixed else "")
    published = re.compile(CUSTOM_SCOPE_PATTERN.replace("$", r"\Z"))
    assert is_custom(name) == (published.match(name) is not None)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("read:employee:custom", ("read", "employee")),
        ("read-all:pay.roll:custom", ("read-all", "pay.roll")),
        ("employee:custom", None),
        ("read:hr:employee:custom", None),
        (":employee:custom", None),
        ("read::custom", None),
        ("read:employee", None),
    ],
)
def test_verb_and_noun(name: str, parts: tuple[str, str] | None) -> None:
    assert verb_noun(name) == parts


def test_only_custom_scopes_get_a_namespace() -> None:
    """Contract section (f.3)."""
    assert namespaced(NAMESPACE, "read:a:custom") == f"{NAMESPACE}:read:a:custom"
    assert namespaced(NAMESPACE, "read:forge-app:jira") == "read:forge-app:jira"
    assert namespaced(NAMESPACE, "offline_access") == "offline_access"


def test_a_namespace_comes_off_again() -> None:
    assert split_namespaced(f"{NAMESPACE}:read:a:custom") == (NAMESPACE, "read:a:custom")
    assert split_namespaced("read:a:custom") == (None, "read:a:custom")
    assert split_namespaced("offline_access") == (None, "offline_access")


def test_what_only_looks_like_a_namespace_stays() -> None:
    assert split_namespaced("app.env:read:a:custom") == (None, "app.env:read:a:custom")
    assert split_namespaced(f"{NAMESPACE}:jira") == (None, f"{NAMESPACE}:jira")
