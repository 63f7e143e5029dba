"""Names, emails and hosts: one plain form, or a refusal that says what to change."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.control.names import check_product_key, clean_email, clean_host, clean_name, is_host
from sallyport.vocab.errors import Reason, Refused


@given(st.text(max_size=300))
def test_a_name_is_refused_or_plain_and_then_stays_as_it_is(text: str) -> None:
    try:
        name = clean_name(text, "name")
    except Refused:
        return
    assert clean_name(name, "name") == name
    assert 1 <= len(name) <= 100
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp", "Cs") for each in name)
    assert not any(unicodedata.bidirectional(each) in BIDI_CONTROLS for each in name)


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a\nb",
        "a\x00b",
        "a\x1b[31mb",
        "pay\u202epal",
        "a\u2066b",
        "zero\u200bwidth",
        "Atlas\u200dsian",
        "\u200d",
        "soft\u00adhyphen",
        "\ufeffbom",
        "line\u2028separator",
        "private\ue000use",
        "a" * 101,
    ],
)
def test_a_name_that_could_deceive_or_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        clean_name(text, "name")
    assert caught.value.reason is Reason.INVALID_INPUT
    assert caught.value.fix


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Zoe\u0308", "Zoë"),
        ("Ada\u00a0L.", "Ada L."),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("👩\u200d💻 Dana", "👩\u200d💻 Dana"),
        ("<svg onload=x>", "<svg onload=x>"),
    ],
)
def test_a_name_is_brought_to_one_form(text: str, plain: str) -> None:
    assert clean_name(text, "name") == plain


@given(st.text(max_size=60) | st.from_regex(r"\S+@[a-zA-Z0-9.-]+", fullmatch=True))
def test_an_email_is_refused_or_plain(text: str) -> None:
    try:
        email = clean_email(text)
    except Refused:
        return
    assert clean_email(email) == email
    assert email.count("@") == 1
    assert ":" not in email, "HTTP Basic parts email and token at the colon"
    assert email == email.lower()


@pytest.mark.parametrize("text", ["Ada@Acme.Test", " ada@acme.test ", "ada@ACME.test"])
def test_an_email_has_one_spelling(text: str) -> None:
    assert clean_email(text) == "ada@acme.test"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@acme.test",
        "ada@",
        "a b@acme.test",
        "a:b@acme.test",
        "a@b@c.test",
        "a@-b.test",
        "a@acme..test",
        "a\u202e@acme.test",
        "a@acme.test\x00",
        "a" * 250 + "@b.test",
    ],
)
def test_what_is_no_email_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        clean_email(text)


@pytest.mark.parametrize(
    "host", ["acme.example.com", "localhost", "acme.localhost", "127.0.0.1", "a-b.c1", "1st.test"]
)
def test_hosts(host: str) -> None:
    assert clean_host(host.upper()) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a.b",
        "a-.b",
        "a_b.c",
        "a b",
        "a\nb",
        "a:80",
        "http://a.b",
        "a/b",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "a.1",
        "[::1]",
        "münchen.test",
        "２.test",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert not is_host(host)
    with pytest.raises(Refused):
        clean_host(host)


@pytest.mark.parametrize("key", ["", "Jira", "1crm", "a b", "a_b", "a" * 31, "crm\n", "é"])
def test_what_is_no_product_key_is_refused(key: str) -> None:
    with pytest.raises(Refused):
        check_product_key(key)
