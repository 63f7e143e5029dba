"""Sign-in, consent and the account's own pages as a person sees them; see `looking`."""

from __future__ import annotations

from playwright.sync_api import Browser

from browsing import House
from busy import keep_busy
from connected import connect
from looking import look_at

MARA = "mara@acme.example"


def test_signing_in(chromium: Browser, house: House) -> None:
    look_at(chromium, house, None, {"sign-in": "/login"}, "door")


def test_consent(chromium: Browser, house: House) -> None:
    house.add_account(MARA, "Mara Lind")
    look_at(chromium, house, MARA, {"consent": "/authorize?client_id=c1"}, "door")


def test_the_account(chromium: Browser, house: House) -> None:
    place = connect(house, "theta")
    keep_busy(house, place)
    pages = {"home": "/account", "grants": "/account/grants", "sessions": "/account/sessions"}
    look_at(chromium, house, place.member, pages, "account")
