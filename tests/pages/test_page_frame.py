"""What the frame gives every page: files, words said once, charts, events on the wire."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from browsing import House, form_token
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.charts import Bar, Series, bar_chart, line_chart
from sallyport.web.drawing import ENVIRONMENT
from sallyport.web.live import Event, encode

MARA = "mara@frame.example"


def test_files_come_compressed_to_those_who_take_it(house: House) -> None:
    with house.http() as client:
        address = re.search(r'href="(/static/sallyport\.css[^"]*)"', client.get("/login").text)
        assert address is not None
        zipped = client.get(address[1])
        plain = client.get(address[1], headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.text == plain.text
    assert int(zipped.headers["content-length"]) < len(plain.content) / 2


def test_pages_in_the_frame_run_our_scripts_and_doors_run_none(house: House) -> None:
    house.add_account(MARA, "<script src=x>")
    with house.signed_in(MARA) as client:
        framed, door = client.get("/account"), client.get("/login?again=1")
    assert "script-src 'self'" in framed.headers["content-security-policy"]
    assert "script-src" not in door.headers["content-security-policy"]
    for page in (framed, door):
        assert re.search(r"<script(?! defer src=\"/static/)", page.text) is None
        assert re.search(r"\son[a-z]+=|\sstyle=|javascript:", page.text) is None


def test_a_planted_word_is_not_said(house: House) -> None:
    """Seen to fail with `flash.said` returning the text whatever its mark."""
    house.add_account("teller@frame.example", "Teller")
    with house.signed_in("teller@frame.example") as client:
        for mark in ("", "0" * 64, form_token(client.get("/account"), "/logout")):
            client.cookies.set("sallyport-said", f"{mark}.{quote('Call 555-1234')}")
            assert "555-1234" not in client.get("/account").text
            client.cookies.delete("sallyport-said")


def test_a_chart_has_its_figures_and_escapes_its_words() -> None:
    lines = line_chart("Calls", ["<b>9:00", "10:00"], [Series("<i>", "open", [1, 1204])])
    assert "<b>" not in lines
    assert "<i>" not in lines
    assert '<td class="num" data-label="&lt;i&gt;">1,204</td>' in lines
    assert 'points="0.0,117.9 600.0,48.2"' in lines
    bars = bar_chart("Refusals", [Bar("scopes", 3, "shut", '/a"b'), Bar("token", 1.5)])
    assert 'href="/a&#34;b"' in bars
    assert 'width="50.0"' in bars
    assert line_chart("Calls", ["9:00"], []) == bar_chart("None", []) == ""


@pytest.mark.parametrize("text", ["a\ndata: x\n\nevent: y", "a\revent: y", "a\r\n\r\nid: 3"])
def test_no_text_makes_an_event_of_its_own(text: str) -> None:
    wire = encode(Event("row", f"<li>{text}</li>", "7"))
    assert re.findall(r"^(?!data: )(.+)$", wire, re.M) == ["id: 7", "event: row"]
    assert wire.count("\n\n") == 1
    assert "\r" not in wire


def test_a_refused_field_is_told_beside_it() -> None:
    problem = Refused(Reason.INVALID_INPUT, "Empty.", fix="Name it.", members={"field": "name"})
    shown = ENVIRONMENT.from_string(
        '{% import "parts_forms.html" as forms %}{{ forms.field("name", "Name", "<x>", '
        'help="Seen by people", problem=p) }}{{ forms.field("other", "Other", problem=p) }}'
    ).render(p=problem)
    assert 'value="&lt;x&gt;"' in shown
    assert 'aria-describedby="name-help name-wrong" aria-invalid="true"' in shown
    assert shown.count("Empty. Name it.") == 1
