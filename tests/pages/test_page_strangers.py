"""T-TEN for pages: what belongs to an app, an integration or a site is not there for strangers.

The pages come from the list that the platform serves: a new one is tested from its first day.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from browsing import House
from called import refused_call
from connected import READ, connect
from sallyport.control.integrations import LinkRequest, create_integration
from sallyport.control.signin import actor_for
from sallyport.web.csrf import form_token
from sallyport.web.pages import FORMS, PAGES

# What anybody may ask: it answers for the caller's own alone, or with nothing.
ANSWERS_ANYBODY = {"/console/try/decisions/{decision_id}": 204}
STRANGER = "stranger@pages.example"


@pytest.fixture(scope="module")
def names(running_house: House) -> Mapping[str, str]:
    """What each parameter of a page's path is called in epsilon, to which the stranger is none."""
    house, made = running_house, connect(running_house, "epsilon")
    house.add_account(STRANGER, "Stranger")
    member = actor_for(house.add_account(made.member, "Member of epsilon"), None)
    wanted = LinkRequest(
        made.site_id, made.app_id, "development", (READ,), ("read:forge-app:jira",)
    )
    view, _ = house.act(
        create_integration(house.services, member, "Sync", ["https://x.example/cb"], wanted)
    )
    return Names(
        app_id=made.app_id,
        environment="development",
        site=made.site_id,
        client_id=view.integration.client_id,
        decision_id=refused_call(house, made).id,
        version="1.1",
        key="KEY",
    )


class Names(dict[str, str]):
    """Parameters that stand for something that nobody has are any id."""

    def __missing__(self, name: str) -> str:
        return "00000000-0000-4000-8000-000000000000"


def wrong(answers: Mapping[str, int]) -> dict[str, int]:
    """The answers that are not those of a page that there is not. That there are operator's pages
    is no secret; they are refused."""
    return {
        path: status
        for path, status in answers.items()
        if status != ANSWERS_ANYBODY.get(path, 403 if path.startswith("/operator/") else 404)
    }


def test_a_stranger_finds_no_page(house: House, names: Mapping[str, str]) -> None:
    with house.signed_in(STRANGER) as client:
        answers = {
            path: client.get(path.format_map(names)).status_code for path, _ in PAGES if "{" in path
        }
    assert wrong(answers) == {}
    assert len(answers) > 20


def test_a_stranger_sends_no_form(house: House, names: Mapping[str, str]) -> None:
    """With a right token, so that the form itself is what refuses."""
    answers = {}
    with house.signed_in(STRANGER) as client:
        cookie = client.cookies["sallyport"]
        for path, _ in FORMS:
            if "{" in path:
                address = path.format_map(names)
                form = {"form_token": form_token(cookie, address), **FIELDS}
                answers[path] = client.post(address, data=form).status_code
    assert wrong(answers) == {}


FIELDS = {
    "turn": "on",
    "required": "yes",
    "account": "member@epsilon.example",
    "role": "admin",
    "change": "make-operator",
    "key": "qa",
    "value": "x",
    "name": "Name",
    "redirect_uris": "https://x.example/cb",
    "site": "00000000-0000-4000-8000-000000000000",
    "app_id": "00000000-0000-4000-8000-000000000000",
    "environment": "development",
    "product": "jira",
    "installation": "00000000-0000-4000-8000-000000000000",
}
