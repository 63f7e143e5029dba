"""Every event of the audit is produced by a real act, with who, from where and why.

The events come from the vocabulary, so one that nothing produces fails, as does a new one that the
story does not tell. Planted bugs that these tests were seen to fail on: `TOKEN_REFRESHED` not
audited; the address left out of the actor of the control API; the reason dropped in `Tx.audit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_story import WHY, Story, Told

from demo_world import demo_on
from sallyport.vocab.events import Event

ROOT = Path(__file__).resolve().parents[2]

PLATFORMS_OWN = {Event.PLATFORM_CLAIMED}
"""Done when a platform starts, before there is anybody."""

TOLD_ELSEWHERE = {Event.IDENTITY_LINKED: "tests/oidc/test_provider.py"}
"""Needs an identity provider beside the platform; the test that has one looks at the row."""

OF_CLIENTS = {Event.TOKEN_REVOKED, Event.SIGN_IN_REFUSED}
"""Done by somebody who is no account: the detail says which client, or nobody signed in."""

PROTOCOL = {
    Event.CONSENT_GIVEN,
    Event.CONSENT_REMEMBERED,
    Event.CONSENT_DENIED,
    Event.TOKEN_ISSUED,
    Event.TOKEN_REFRESHED,
    Event.SIGNED_IN,
    Event.SIGNED_OUT,
    Event.SIGN_IN_REFUSED,
}
"""Steps of a protocol or of a sign-in: what is asked for is the reason, and the detail tells it."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with demo_on(tmp_path_factory.mktemp("audited") / "data") as demo:
        yield Story(demo).tell()


@pytest.mark.parametrize("event", Event, ids=lambda event: event.value)
def test_every_event_comes_of_an_act(told: Told, event: Event) -> None:
    rows = told.of(event)
    if event in TOLD_ELSEWHERE:
        assert event.value in (ROOT / TOLD_ELSEWHERE[event]).read_text()
        return
    assert rows, f"{event.value} is a word for nothing: no act of the story leaves it"
    newest = rows[-1]
    if event in PLATFORMS_OWN:
        return
    assert newest["address"] == "127.0.0.1", "from where"
    if event in OF_CLIENTS:
        assert newest["account_id"] is None
        assert event is Event.SIGN_IN_REFUSED or newest["detail"]["client_id"]
    else:
        assert newest["account_email"] in {*told.emails.values(), "new@audited.example"}, "who"
    if event not in PROTOCOL:
        assert newest["reason"], "why"


def test_what_was_said_is_kept_word_for_word(told: Told) -> None:
    (switched,) = told.of(Event.REST_APIS_DISABLED)
    assert switched["reason"] == switched["detail"]["reason"] == WHY
    assert switched["account_email"] == told.emails["admin"]


def test_what_ends_with_something_else_says_with_what(told: Told) -> None:
    reasons = {each["reason"] for each in told.of(Event.GRANT_REVOKED)}
    assert reasons >= {WHY, "The integration was ended"}


def test_rows_of_sites_and_apps_name_them(told: Told) -> None:
    """Or the right admin would not find them."""
    of_sites = ("approval", "consent", "grant", "token", "integration", "service-account")
    nowhere = [
        each["event"]
        for each in told.rows
        if each["event"].split(":")[0].removesuffix("-secret") in of_sites
        and (each["site_id"] is None or each["app_id"] is None)
    ]
    assert nowhere == []
