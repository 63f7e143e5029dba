"""Sessions as their account sees them: listed, ended one by one or all others, made anew.

Planted bugs that these tests were seen to fail on: ending by the public id of anybody's session;
ending the own session with the others; a list that shows everybody's; a password change that leaves
the other sessions, or that ends the one it was made in; the browser's own words shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from browsing import PASSWORD, House, form_token
from sallyport.control.signin import TOUCHED_EVERY
from sallyport.web.agents import in_plain_words

MARA, EVE, PIA = "mara@acme.example", "eve@acme.example", "pia@acme.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ENDS = re.compile(r'action="(/account/sessions/([0-9a-f-]{36})/end)"')


@contextmanager
def signed_in(house: House, email: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    headers = {"Origin": house.url, "User-Agent": FIREFOX}
    with house.http(headers=headers) as client:
        token = form_token(client.get("/login"))
        form = {"email": email, "password": password, "form_token": token}
        answer = client.post("/login", data=form)
        assert answer.status_code == 303, answer.text
        yield client


def rows(client: httpx.Client) -> dict[str, str]:
    """The row of each session, by its id."""
    page = client.get("/account/sessions")
    assert page.status_code == 200
    parts = page.text.split("<tr>")[2:]
    found = {}
    for part in parts:
        match = ENDS.search(part)
        assert match is not None
        found[match[2]] = part
    return found


def own(client: httpx.Client) -> str:
    [this] = [key for key, row in rows(client).items() if "this one" in row]
    return this


def send(client: httpx.Client, action: str, **fields: str) -> httpx.Response:
    token = form_token(client.get("/account/sessions"), action)
    return client.post(action, data={"form_token": token, **fields})


def lives(client: httpx.Client) -> bool:
    return client.get("/account").status_code == 200


@pytest.fixture(autouse=True)
def people(house: House) -> None:
    for email, name in ((MARA, "Mara Lind"), (EVE, "Eve"), (PIA, "Pia")):
        house.add_account(email, name)


def test_an_account_sees_its_sessions_and_ends_one(house: House) -> None:
    with signed_in(house, MARA) as here, signed_in(house, MARA) as there:
        listed = rows(here)
        assert {own(here), own(there)} <= set(listed)
        assert own(here) != own(there)
        row = listed[own(there)]
        assert "Firefox on Linux" in row
        assert "127.0.0.1" in row
        assert here.cookies["sallyport"] not in "".join(listed.values())
        answer = send(here, f"/account/sessions/{own(there)}/end")
        assert answer.headers["location"] == "/account/sessions"
        assert not lives(there)
        assert lives(here)
        send(here, f"/account/sessions/{own(here)}/end")
        assert not lives(here)


def test_nobody_sees_or_ends_anothers(house: House) -> None:
    with signed_in(house, MARA) as mara, signed_in(house, EVE) as eve:
        theirs = own(mara)
        assert theirs not in rows(eve)
        action = f"/account/sessions/{theirs}/end"
        visit = {"form_token": form_token_for(house, eve, action)}
        assert eve.post(action, data=visit).status_code == 404
        send(eve, f"/account/sessions/{own(eve)}/end")
        assert lives(mara)


def form_token_for(house: House, client: httpx.Client, action: str) -> str:
    """The token that a page drawn for this session would hold for `action`."""
    from sallyport.web.csrf import form_token as token_of

    return token_of(client.cookies["sallyport"], action)


def test_all_others_end_at_once(house: House) -> None:
    with signed_in(house, PIA) as here, signed_in(house, PIA) as one, signed_in(house, PIA) as two:
        with signed_in(house, EVE) as eve:
            send(here, "/account/sessions/end-others")
            assert [lives(each) for each in (here, one, two, eve)] == [True, False, False, True]
        assert list(rows(here)) == [own(here)]
        assert "2 other sessions ended" not in here.get("/account/sessions").text, "said once"


def test_a_new_password_ends_all_others(house: House) -> None:
    email, new = "paul@acme.example", "another horse battery"
    house.add_account(email, "Paul")
    with signed_in(house, email) as here, signed_in(house, email) as there:
        fields = {"current": "wrong", "new": new}
        assert send(here, "/account/password", **fields).status_code == 401
        fields = {"current": PASSWORD, "new": "short"}
        assert "12 to 1024" in send(here, "/account/password", **fields).text
        assert lives(there)
        fields = {"current": PASSWORD, "new": new}
        assert send(here, "/account/password", **fields).status_code == 303
        assert (lives(here), lives(there)) == (True, False)
        with signed_in(house, email, new) as again:
            assert lives(again)


def test_the_last_use_is_remembered_once_in_a_while(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = re.compile(r'<time datetime="([^"]*)"')
    with signed_in(house, MARA) as client:
        started, used = stamp.findall(rows(client)[own(client)])
        assert started == used
        monkeypatch.setattr("sallyport.control.signin.TOUCHED_EVERY", 0)
        assert TOUCHED_EVERY > 0
        rows(client)
        started, used = stamp.findall(rows(client)[own(client)])
        assert started < used


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU like Mac OS X) Version/18 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile Safari/537.36", "Chrome on Android"),
        ("<script>alert(1)</script>", "Another browser"),
        ("x" * 100_000 + "Firefox/1", "Another browser"),
        (None, "Another browser"),
    ],
)
def test_browsers_in_plain_words(agent: str | None, words: str) -> None:
    assert in_plain_words(agent) == words
